# frozen_string_literal: true

module Milter
  module Manager
    # Where something listens, or connects to: a unix socket's path, or a port and a host.
    class SocketSpec
      EVERYWHERE = [nil, "", "*", "0.0.0.0", "::"].freeze
      LOOPBACK = %w[localhost localhost.localdomain 127.0.0.1 ::1 ip6-localhost].freeze

      attr_reader :path, :port, :host

      class << self
        # Our own spelling and Sendmail's: "unix:PATH", "local:PATH", "/PATH", "inet:PORT@HOST",
        # "inet6:PORT@HOST".  nil: it is none.
        def parse(text)
          case text
          when /\A(?:unix:|local:)?(\/.*)\z/mn then new(path: Regexp.last_match(1))
          when /\Ainet(6?):(\d+)(?:@\[?([^\[\]]*)\]?)?\z/n
            new(port: Regexp.last_match(2).to_i, host: Regexp.last_match(3), ipv6: Regexp.last_match(1) == "6")
          end
        end

        # What all spellings of a socket to connect to have in common; TEXT itself when it is none.
        def key(text)
          text && (parse(text.b)&.key || text.b)
        end

        # Postfix's: "unix:PATH", "inet:HOST:PORT".  A relative path is below DIRECTORY, and with
        # CHROOT every path is.
        def parse_postfix(text, directory, chroot)
          case text
          when /\Aunix:(.+)\z/mn
            path = Regexp.last_match(1)
            path = File.join(directory, path) if chroot || !path.start_with?("/")
            new(path: path)
          when /\Ainet:(?:\[(?:ipv6:)?([^\[\]]*)\]|([^:\[\]@]*)):(\w[\w-]*)\z/in
            host = Regexp.last_match(1) || Regexp.last_match(2)
            port = port_of(Regexp.last_match(3))
            port && new(port: port, host: host)
          end
        end

        def port_of(name)
          name.match?(/\A\d+\z/) ? name.to_i : Socket.getservbyname(name)
        rescue SocketError
          nil
        end
      end

      def initialize(path: nil, port: nil, host: nil, ipv6: false)
        @path = path
        @port = port
        @host = host
        @ipv6 = ipv6 || host.to_s.include?(":")
      end

      def unix?
        !@path.nil?
      end

      # Whether who connects here reaches who listens at OTHER.
      def reaches?(other)
        return false if other.nil? || unix? != other.unix?
        return same_file?(other) if unix?

        @port == other.port && (other.everywhere? || everywhere? || same_host?(other))
      end

      # The same for whoever connects to the same socket, as far as the text tells: files are
      # not looked at.
      def key
        unix? ? "unix:#{plain(@path)}" : "inet:#{@port}@#{address_to_connect}"
      end

      # On all addresses of the machine.
      def everywhere?
        !unix? && EVERYWHERE.include?(@host)
      end

      def local?
        unix? || everywhere? || LOOPBACK.include?(@host) || @host.start_with?("127.")
      end

      def to_s
        return "unix:#{@path}" if unix?
        return "inet:#{@port}" if @host.nil? || @host.empty?

        "inet:#{@port}@#{@host.match?(/:/) ? "[#{@host}]" : @host}"
      end

      private

      # /var/run is /run; what does not exist is compared as far as it does.
      def same_file?(other)
        return true if @path == other.path

        real(@path) == real(other.path)
      end

      def real(path)
        File.join(File.realpath(File.dirname(path)), File.basename(path))
      rescue SystemCallError
        plain(path)
      end

      # Without "//", "." and "..", and where systems have it now.
      def plain(path)
        return path if path.include?("\0")

        File.expand_path(path.squeeze("/")).sub(%r{\A/var/run/}n, "/run/")
      end

      # A name stands for itself: what it means may change.
      def address_to_connect
        return @ipv6 ? "::1" : "127.0.0.1" if everywhere? || LOOPBACK.include?(@host)

        IPAddr.new(@host).to_s
      rescue IPAddr::Error
        @host.downcase(:ascii)
      end

      def same_host?(other)
        @host == other.host || (LOOPBACK.include?(@host) && LOOPBACK.include?(other.host) &&
                                [@host, other.host].sort != %w[127.0.0.1 ::1])
      end
    end
  end
end
