# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Follows a shell script to see what its variables become and which commands it would
      # run.  Nothing is run: conditions about files and variables are decided, of others every
      # branch is taken, in the order in which they are written.
      class Shell
        include ShellExpansion
        include ShellTest

        DEPTH_MAX = 12
        LOOP_MAX = 32
        FOLLOWED = %r{\A/(?:etc|usr/local/etc|usr/pkg/etc|opt)/}
        LIBRARIES = %r{/(?:init-functions|rc\.subr|functions(?:\.sh)?|rc\.status)\z}

        # Variables (Setting); commands that would run (Command).
        attr_reader :variables, :commands

        # @param on_load [Proc, nil] called with the name at load_rc_config NAME
        def initialize(root, variables = {}, arguments: [], on_load: nil)
          @root = root
          @variables = variables.dup
          @arguments = arguments
          @on_load = on_load
          @functions = {}
          @commands = []
          @depth = 0
        end

        # Follow TEXT; raises Problem where it is no script.
        def run(text, path, line = 1)
          follow(ShellParser.new(ShellLexer.new(text, path, line).tokens, path).tree, path)
        end

        # Take the assignments of TEXT alone, line by line: for what run() does not understand.
        def run_assignments(text, path)
          text.each_line.with_index(1) do |line, n|
            next unless line.match?(/\A\s*(?:export\s+|:\s+\$\{)?[A-Za-z_]\w*:?=/)

            run(line, path, n)
          rescue Problem
            next
          end
        end

        # Follow a file if it is there.
        def source(path)
          return nil if path.include?(SocketSpec::UNKNOWN) || path.match?(LIBRARIES) || !@root.file?(path)

          run(@root.read(path), path)
          true
        end

        def text(name)
          @variables[name]&.value
        end

        private

        def value(name)
          case name
          when /\A[1-9]\z/ then @arguments[name.to_i - 1]
          when "@", "*" then @arguments.join(" ")
          when "#" then @arguments.size.to_s
          when "0", "?", "$", "!", "-" then SocketSpec::UNKNOWN
          else text(name)
          end
        end

        def assign(name, value)
          @variables[name] = Setting.new(value, @path, @line)
        end

        # Follow a node in PATH; true, false, or nil: unknown.
        def follow(node, path)
          outer = @path
          @path = path
          @depth += 1
          return nil if @depth > DEPTH_MAX * 8

          visit(node)
        ensure
          @depth -= 1
          @path = outer
        end

        def visit(node)
          case node.first
          when :list then node[1].map { |each| visit(each) }.last
          when :simple then simple(node[1], node[2])
          when :not then visit(node[1]).then { |result| result.nil? ? nil : !result }
          when :and then visit(node[1]).then { |left| left == false ? false : visit(node[2]) && left }
          when :or then visit(node[1]).then { |left| left || visit(node[2]) }
          when :if then conditional(node[1], node[2])
          when :case then branch(node[1], node[2], node[3])
          when :for then each(*node.drop(1))
          when :function then (@functions[node[1]] = [node[2], @path]) && true
          end
        end

        def conditional(branches, otherwise)
          undecided = false
          branches.each do |condition, body|
            case visit(condition)
            when true
              result = visit(body)
              return undecided ? nil : result unless undecided
            when nil
              visit(body)
              undecided = true
            end
          end
          visit(otherwise)
          nil
        end

        def branch(subject, branches, line)
          @line = line
          subject = expand(subject)
          return branches.each { |_, body| visit(body) } && nil if subject.include?(SocketSpec::UNKNOWN)

          _, body = branches.find do |patterns, _|
            patterns.any? { |pattern| File.fnmatch(expand(pattern), subject, File::FNM_DOTMATCH) }
          end
          body && visit(body)
        end

        def each(name, words, body, line)
          words.flat_map { |word| fields(word) }.first(LOOP_MAX).each do |word|
            @line = line
            next if word.include?(SocketSpec::UNKNOWN)

            assign(name, word)
            visit(body)
          end
          nil
        end

        def simple(words, line)
          @line = line
          rest = words.drop_while do |word|
            next false unless word.match?(/\A[A-Za-z_]\w*\+?=/)

            assignment(word)
            true
          end
          return true if rest.empty?

          fields = rest.flat_map { |word| fields(word) }
          fields.empty? ? true : command(fields, rest, line)
        end

        def assignment(word)
          name, value = word.split("=", 2)
          value = expand(value)
          value = text(name.chop).to_s + value if name.end_with?("+")
          assign(name.delete_suffix("+"), value)
        end

        def command(fields, words, line)
          case fields.first
          when "[", "[[" then test(fields[1..-2])
          when "test" then test(fields.drop(1))
          when ":", "true" then true
          when "false" then false
          when "export", "local", "readonly", "declare", "typeset"
            words.drop(1).each { |word| assignment(word) if word.match?(/\A[A-Za-z_]\w*=/) }
            true
          when "unset" then fields.drop(1).each { |name| @variables.delete(name) } && true
          when ".", "source" then followed(fields[1].to_s)
          when "eval" then deeper { run(fields.drop(1).join(" "), @path, line) }
          when "load_rc_config" then @on_load&.call(self, fields[1]) || true
          when "checkyesno" then text(fields[1].to_s).to_s.match?(YES)
          when "grep", "egrep", "fgrep" then grep(fields.drop(1))
          when "exit", "return", "break", "continue", "shift" then nil
          else call(fields, line)
          end
        end

        def followed(path)
          path.match?(FOLLOWED) ? deeper { source(path) } : nil
        end

        def call(fields, line)
          body, path = @functions[fields.first]
          unless body
            @commands << Command.new(fields, @path, line)
            return nil
          end
          outer = @arguments
          @arguments = fields.drop(1)
          deeper { follow(body, path) }
        ensure
          @arguments = outer if outer
        end

        # Scripts may call themselves in circles.
        def deeper
          @nesting = @nesting.to_i + 1
          @nesting > DEPTH_MAX ? nil : yield
        ensure
          @nesting -= 1
        end
      end
    end
  end
end
