# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # The spellings of sockets in the configuration of milters, made into ours:
      # "unix:/PATH", "inet:PORT@HOST", "inet6:PORT@[ADDRESS]".
      module SocketSpec
        # Not a socket, and why.
        class Unusable < StandardError; end
        # A value that is there as an example.
        class Sample < Unusable; end

        # What a value is that only the running system knows, part of a text.
        UNKNOWN = "\u{fffd}"
        ANY_HOSTS = ["", "*", "*v4", "0.0.0.0", "any", "all"].freeze
        # Said so by libmilter alone, and by nobody who means another kind of server.
        MILTER_STYLE = /\A(?:inet6?:\d+@\S+|local:\/\S+|inet6?:\d+)\z/

        module_function

        # The socket in our spelling; raises Unusable.
        def normalise(text)
          text = unquote(text.strip)
          raise Unusable, "it is known only when the script runs" if text.include?(UNKNOWN)
          raise Unusable, "it is empty" if text.empty?

          text = text.sub(/\A(?:(?:unix|local|file):)+(?:\/\/(?=\/))?/, "unix:")
          case text
          when %r{\A(?:unix:)?(/\S+)} then path($1)
          when /\Aunix:/ then raise Unusable, "\"#{text}\" is not an absolute path"
          when /\A(fd|systemd):/ then raise Unusable, "\"#{text}\" is passed on by the system"
          when %r{\A(inet6?)://(.*)\z}, /\A(inet6?):(.*)\z/ then inet($1, $2, text)
          else inet("inet", text, text)
          end
        end

        # Whether TEXT can be nothing but a milter's socket.
        def milter_style?(text)
          text.match?(MILTER_STYLE)
        end

        def path(path)
          raise Sample, "\"#{path}\" is an example" if path.match?(%r{\A/(?:some/)?path/to/})

          "unix:#{path}"
        end

        def inet(family, text, all)
          case text
          when /\A(\w+)(?:@(.*))?\z/ then address(family, $2.to_s, $1, all)
          when /\A(\[[\h:.]+\]|[^\s:]*):(\w+)\z/ then address(family, $1, $2, all)
          else raise Unusable, "\"#{all}\" is not a socket"
          end
        end

        def address(family, host, port, all)
          raise Sample, "\"#{all}\" is an example" if port.match?(/\Aport\z/i) || host.match?(/\Ahost\z/i)
          raise Unusable, "\"#{all}\" has no port number" unless port.match?(/\A\d{1,5}\z/)

          host = host.delete_prefix("[").delete_suffix("]").strip
          family = "inet6" if host.include?(":") || host == "*v6"
          "#{family}:#{port}@#{connectable(family, host)}"
        end

        # Who listens on all addresses is reached on the loopback one.
        def connectable(family, host)
          if ANY_HOSTS.include?(host) || %w[:: *v6].include?(host)
            family == "inet6" ? "[::1]" : "localhost"
          else
            host.include?(":") ? "[#{host}]" : host
          end
        end

        def unquote(text)
          text.match?(/\A(["']).*\1\z/m) ? text[1..-2].strip : text
        end

        private_class_method :path, :inet, :address, :connectable
      end
    end
  end
end
