# frozen_string_literal: true

module Milter
  module Manager
    module MTA
      # main.cf and master.cf of one directory, as Postfix reads them.
      class PostfixFiles
        DEPTH_MAX = 20 # of parameters that refer to parameters

        # A line of master.cf; OVERRIDES: its -o options, name => Value.
        Entry = Struct.new(:name, :type, :chroot, :limit, :program, :overrides, :origin)

        # A logical line and the number of its first line.
        Line = Struct.new(:text, :number)

        attr_reader :directory

        class << self
          # A line that starts with white space continues the one before.
          def logical_lines(path)
            File.binread(path).each_line(chomp: true).with_index(1).each_with_object([]) do |(line, at), lines|
              next if line.match?(/\A\s*(?:#|\z)/n)

              line.match?(/\A\s/n) && lines.any? ? lines.last.text << line : lines << Line.new(+line, at)
            end
          end

          # Words separated by SEPARATORS; "{ a b }" is one, without the braces.
          def words(text, separators = "\\s")
            text.scan(/\{((?:[^{}]|\{[^{}]*\})*)\}|([^#{separators}{}]+)/n)
                .map { |braced, plain| braced ? "{#{braced}}" : plain }
          end
        end

        def initialize(directory)
          @directory = directory
        end

        # name => Value
        def parameters
          @parameters ||= lines("main.cf").each_with_object({}) do |line, values|
            name, value = line.text.split("=", 2)
            values[name.strip] = Value.new(value.strip, origin("main.cf", line)) if value
          end
        end

        # What a parameter is, with "$name" replaced: a Value.
        def value(name, default = "", overrides = {})
          found = overrides[name] || parameters[name] || Value.new(default, "default")
          Value.new(expand(found.text, overrides), found.origin)
        end

        # Services of master.cf.
        def entries
          @entries ||= lines("master.cf").filter_map { |line| entry(line) }
        end

        # "$name", "${name}", "${name?text}" and "${name:text}" replaced.
        def expand(text, overrides = {}, depth = 0)
          return "" if depth > DEPTH_MAX

          text.gsub(/\$\$|\$(?:(\w+)|[({](\w+)(?:([?:])([^)}]*))?[)}])/n) do
            match = Regexp.last_match
            name = match[1] || match[2]
            next "$" unless name

            value = (overrides[name] || parameters[name])&.text.to_s
            replace(match, expand(value, overrides, depth + 1), overrides, depth)
          end
        end

        private

        def replace(match, value, overrides, depth)
          case match[3]
          when "?" then value.empty? ? "" : expand(match[4], overrides, depth + 1)
          when ":" then value.empty? ? expand(match[4], overrides, depth + 1) : ""
          else value
          end
        end

        def lines(name)
          path = File.join(@directory, name)
          File.file?(path) && File.readable?(path) ? self.class.logical_lines(path) : []
        end

        def origin(name, line)
          "#{File.join(@directory, name)}:#{line.number}"
        end

        def entry(line)
          fields = self.class.words(line.text)
          return nil if fields.size < 8

          at = origin("master.cf", line)
          Entry.new(fields[0], fields[1], fields[4], fields[6], fields[7], overrides(fields.drop(8), at), at)
        end

        # "-o name=value", "-oname=value", "-o { name = value }"
        def overrides(arguments, at)
          arguments.each_with_index.with_object({}) do |(argument, i), found|
            next unless argument.start_with?("-o")

            text = argument == "-o" ? arguments[i + 1].to_s : argument.delete_prefix("-o")
            name, value = text.sub(/\A\{(.*)\}\z/mn, "\\1").split("=", 2)
            found[name.strip] = Value.new(value.strip, at) if value
          end
        end
      end
    end
  end
end
