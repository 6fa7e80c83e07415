# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # As much of UCL, the language of rspamd.conf, as is needed to find its workers: sections,
      # values with the priorities of the files they are from, .include.
      class UCL
        DEPTH_MAX = 10
        # Sections that nothing is looked for in; they are passed over, with all they include.
        KEPT = "worker"

        Value = Struct.new(:setting, :priority)
        # A section: values by key, in order; NAME of 'worker "NAME" {'.
        Section = Struct.new(:name, :path, :line, :values) do
          # The settings of KEY that count: those of the highest priority.
          def settings(key)
            found = values.fetch(key, [])
            highest = found.map(&:priority).max
            found.select { |value| value.priority == highest }.map(&:setting)
          end

          def text(key)
            settings(key).last&.value
          end
        end

        # @param variables [Hash{String => String}] "CONFDIR" …
        def initialize(root, variables)
          @root = root
          @variables = variables
          @workers = []
        end

        # @return [Array<Section>] the workers of a file and of those that it includes
        def workers(path)
          include_file(path, 0, nil, 0)
          @workers
        end

        private

        def include_file(path, priority, section, depth)
          text = @root.peek(path)
          return if text && section.nil? && depth.positive? && !text.match?(/\bworker\b|\.include/)
          return if @root.read(path).nil? || depth > DEPTH_MAX

          outer = [@scanner, @path]
          @scanner = StringScanner.new(text)
          @path = path
          body(priority, section, depth)
        ensure
          @scanner, @path = outer if outer
        end

        # Statements up to the end of the section or file.
        def body(priority, section, depth)
          loop do
            blanks
            return if @scanner.eos? || @scanner.skip(/\}/)

            if @scanner.scan(/\.(\w+)/) then macro(@scanner[1], priority, section, depth)
            else statement(priority, section, depth)
            end
          end
        end

        def blanks
          nil while @scanner.skip(/[\s;,]+/) || @scanner.skip(/#[^\n]*/) || @scanner.skip(%r{/\*.*?\*/}m)
        end

        def macro(name, priority, section, depth)
          options = @scanner.scan(/\s*\(([^)]*)\)/) ? options(@scanner[1]) : {}
          blank_line
          argument = @scanner.check(/\{/) ? skip_section : value.value
          return unless name.start_with?("include") && argument.is_a?(String)

          priority = options.fetch("priority", priority).to_i
          @root.glob(expand(argument)).each { |path| include_file(path, priority, section, depth + 1) }
        end

        def options(text)
          text.scan(/(\w+)\s*=\s*"?([^,;"]+)"?/).to_h
        end

        # KEY VALUE, KEY = VALUE, KEY "NAME" { … }
        def statement(priority, section, depth)
          key = word.value
          blank_line
          line = current_line
          names = @scanner.skip(/[=:]/) ? [] : section_names
          blank_line
          return nested(key, names, line, priority, depth, section) if @scanner.check(/\{/)

          values = @scanner.check(/\[/) ? array : [value]
          values.each { |each| (section.values[key] ||= []) << Value.new(each, priority) } if section
        end

        # Words between a key and the bracket of its section.
        def section_names
          names = []
          while @scanner.check(/(?:"[^"\n]*"|[\w-]+)[ \t]*(?:(?:"[^"\n]*"|[\w-]+)[ \t]*)*\{/)
            names << word.value
            blank_line
          end
          names
        end

        def nested(key, names, line, priority, depth, section)
          return skip_section unless section.nil? && key == KEPT

          @scanner.getch
          return worker(names.first, line, priority, depth) if names.any?

          until @scanner.skip(/\s*\}/) || @scanner.eos? # worker { "NAME" { … } }
            blanks
            name = word.value
            blank_line
            @scanner.skip(/[=:]/) && blank_line
            break unless @scanner.skip(/\{/)

            worker(name, line, priority, depth)
            blanks
          end
        end

        # The same file may add to a worker, with another priority, from elsewhere.
        def worker(name, line, priority, depth)
          section = Section.new(name, @path, line, {})
          body(priority, section, depth)
          @workers << section
        end

        def skip_section
          depth = 0
          until @scanner.eos?
            if @scanner.skip(/\{/) then depth += 1
            elsif @scanner.skip(/\}/) then depth -= 1
            elsif @scanner.skip(/"(?:[^"\\]|\\.)*"|#[^\n]*|\/\*.*?\*\//m) then next
            elsif @scanner.check(/<<([A-Z]+)\n/) then value
            else @scanner.skip(/[^{}"#\/<]+/) || @scanner.getch
            end
            return if depth.zero?
          end
        end

        def array
          @scanner.getch
          values = []
          until @scanner.eos?
            blanks
            break if @scanner.skip(/\]/)

            @scanner.check(/\{/) ? skip_section : values << value(/[^\s,;\]#]+/)
          end
          values
        end

        # A value of the rest of a line, as a Setting.
        def value(bare = /[^\n;#}]+/)
          line = current_line
          text = if @scanner.scan(/"((?:[^"\\]|\\.)*)"/m) then @scanner[1].gsub(/\\(.)/m, "\\1")
                 elsif @scanner.scan(/'((?:[^'\\]|\\.)*)'/m) then @scanner[1]
                 elsif @scanner.scan(/<<([A-Z]+)\n(.*?)\n\1(?=[\s;]|\z)/m) then @scanner[2]
                 else @scanner.scan(bare).to_s.strip
                 end
          Setting.new(expand(text), @path, line).tap { trouble if text.empty? && !@scanner.check(/[\s;"]|\z/) }
        end

        def word
          line = current_line
          text = @scanner.scan(/"((?:[^"\\]|\\.)*)"/m) ? @scanner[1] : @scanner.scan(/[^\s=:{};"\[\]]+/)
          text ? Setting.new(text, @path, line) : trouble
        end

        def trouble
          rest = @scanner.peek(20).scrub.lines.first.to_s.chomp
          raise Problem.new("\"#{rest}\" is not understood", @path, current_line)
        end

        def blank_line
          @scanner.skip(/[ \t]+/)
        end

        def current_line
          @scanner.string.byteslice(0, @scanner.pos).count("\n") + 1
        end

        def expand(text)
          text.gsub(/\$\{(\w+)\}|\$([A-Z]\w*)/) do |all|
            @variables.fetch(Regexp.last_match(1) || Regexp.last_match(2), all)
          end
        end
      end
    end
  end
end
