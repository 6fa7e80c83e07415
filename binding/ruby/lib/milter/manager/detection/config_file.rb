# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # What the configuration of a milter says: its socket, its part, its patience.
      class Config
        # Setting of the socket, or nil; why the milter is not configured, or nil.
        attr_accessor :socket, :unconfigured
        # Words for Kind's roles: "v", "sv" …
        attr_accessor :mode
        # Seconds that it takes its time on purpose (Setting), or nil.
        attr_accessor :delay
      end

      # Files of lines with a key and a value: "Socket  inet:8891@localhost", "Socket = …",
      # "milter.socket: …".  Keys are taken in any case; the last line counts.
      class KeyValueFile
        INCLUDES_MAX = 8

        # @param keys [Array<String>] of the socket
        # @param mode [String, nil] key of what it does
        # @param sample [String, nil] a key that stands in files nobody has edited yet
        def initialize(*keys, mode: nil, sample: nil)
          @keys = keys.map(&:downcase)
          @mode = mode&.downcase
          @sample = sample&.downcase
        end

        # @return [Config]
        def read(root, path)
          config = Config.new
          each_pair(root, path) do |key, setting|
            if @keys.include?(key) then config.socket = setting
            elsif key == @mode then config.mode = setting.value
            elsif key == @sample
              config.unconfigured = "not configured: \"#{key.capitalize}\" is still there at #{setting.origin}"
            end
          end
          config
        end

        private

        def each_pair(root, path, depth = 0, &block)
          root.read(path).to_s.each_line.with_index(1) do |line, n|
            line = line.sub(/(?:\A|\s)#.*/m, "").strip
            next if line.empty? || line.start_with?(";", "[")

            key, value = line.match(/\A([^\s=:]+)\s*[=:]?\s*(.*)\z/m)&.captures
            next unless key

            if key.casecmp?("include") && depth < INCLUDES_MAX
              each_pair(root, value, depth + 1, &block)
            else
              block.call(key.downcase, Setting.new(value, path, n))
            end
          end
        end
      end

      # greylist.conf of milter-greylist: its socket, and the longest tarpit of its rules.
      class GreylistFile
        UNITS = { "" => 1, "s" => 1, "m" => 60, "h" => 3600, "d" => 86_400, "w" => 604_800 }.freeze

        def read(root, path)
          config = Config.new
          statements(root.read(path).to_s) do |line, n|
            if line =~ /\A\s*socket\s+"([^"]*)"/
              config.socket = Setting.new(Regexp.last_match(1), path, n)
            elsif line.match?(/\A\s*r?acl\b|\A\s*dacl\b/)
              tarpit(line, path, n, config)
            end
          end
          config
        end

        private

        # Statements without comments, with the number of their first lines.
        def statements(text)
          statement = +""
          first = 1
          text.each_line.with_index(1) do |line, n|
            first = n if statement.empty?
            line = line.sub(/("[^"]*"|\/(?:[^\/\\]|\\.)*\/|[^"#\/])*\K#.*/m, "").rstrip
            statement << line.delete_suffix("\\") << " "
            next if line.end_with?("\\")

            yield statement, first
            statement = +""
          end
        end

        def tarpit(line, path, n, config)
          number, unit = line.match(/\btarpit\s+(\d+)([smhdw]?)\b/)&.captures
          return unless number

          seconds = number.to_i * UNITS.fetch(unit)
          config.delay = Setting.new(seconds, path, n) if seconds > (config.delay&.value || 0)
        end
      end

      # mailfromd.conf: the first "listen URL;" of a "server milter { … }", or its old option.
      class MailfromdFile
        def read(root, path)
          config = Config.new
          text = root.read(path).to_s.gsub(%r{/\*.*?\*/}m) { |comment| comment.gsub(/[^\n]/, " ") }
          block = nil
          text.each_line.with_index(1) do |line, n|
            line = line.sub(%r{(\A|\s)(?://|#).*}, "")
            block = Regexp.last_match(1) if line =~ /\bserver\s+(\w+)/
            if block == "milter" && line =~ /\blisten\s+"?([^\s;"]+)/
              config.socket ||= Setting.new(Regexp.last_match(1), path, n)
            end
          end
          config
        end
      end
    end
  end
end
