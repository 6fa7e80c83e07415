# frozen_string_literal: true

require "strscan"

module Milter
  module Manager
    class Detection
      # Cuts a shell script into words, as they are written, and operators.  Redirections and
      # here-documents are left out.
      class ShellLexer
        # KIND is :word or :operator.
        Token = Struct.new(:kind, :text, :line)
        OPERATORS = /;;&?|;&|&&|\|\||[;&|()\n]/
        BLANK = /(?:[ \t\r]|\\\r?\n)+/
        REDIRECTION = /\d*(?:<<<|<<-?|<>|>>|>\||[<>]&?|&>>?)/

        def initialize(text, path, line = 1)
          @scanner = StringScanner.new(text)
          @path = path
          @line = line
          @counted = 0
          @documents = []
        end

        def tokens
          tokens = []
          until @scanner.eos?
            next if @scanner.skip(BLANK) || @scanner.skip(/#[^\n]*/)

            if redirection?
              nothing(tokens)
              redirect
            elsif (operator = @scanner.scan(OPERATORS))
              tokens << Token.new(:operator, operator, line)
              skip_documents if operator == "\n"
            else
              at = line
              tokens << Token.new(:word, word, at)
            end
          end
          tokens
        end

        private

        # The line of what is scanned next.
        def line
          @line += @scanner.string.byteslice(@counted, @scanner.pos - @counted).count("\n")
          @counted = @scanner.pos
          @line
        end

        def redirection?
          @scanner.check(REDIRECTION) && !@scanner.check(/\d+[^<>&\d]/)
        end

        # A redirection may be all there is of a command: let ":" stand for it.
        def nothing(tokens)
          last = tokens.last
          tokens << Token.new(:word, ":", line) if last.nil? || last.kind == :operator
        end

        def redirect
          operator = @scanner.scan(REDIRECTION)
          @scanner.skip(BLANK)
          return if @scanner.skip(/-/) || @scanner.eos?

          target = word
          @documents << target.delete("\\'\"") if operator.match?(/\A\d*<<-?\z/)
        end

        def skip_documents
          @documents.each do |mark|
            until @scanner.eos?
              break if @scanner.scan(/([^\n]*)(\n|\z)/) && @scanner[1].sub(/\A\t+/, "") == mark
            end
          end
          @documents.clear
        end

        def word
          at = line
          start = @scanner.pos
          until @scanner.eos? || @scanner.check(/[ \t\r\n;&|<>()]/)
            skip_piece(at)
            skip_array(at) if @scanner.check(/\(/) && since(start).match?(/\A\w+\+?=\z/)
          end
          @scanner.getch if @scanner.pos == start # a stray character
          since(start).gsub(/\\\r?\n/, "")
        end

        def since(start)
          @scanner.string.byteslice(start...@scanner.pos)
        end

        def skip_piece(at)
          return if @scanner.skip(/[^ \t\r\n;&|<>()\\'"`$]+/)

          case @scanner.getch
          when "\\" then @scanner.getch
          when "'" then @scanner.skip_until(/'/) || unfinished("'", at)
          when "\"" then skip_quoted(at)
          when "`" then skip_backticks(at)
          when "$" then skip_expansion(at)
          end
        end

        def skip_quoted(at)
          until @scanner.skip(/"/)
            unfinished("\"", at) if @scanner.eos?
            next if @scanner.skip(/[^\\"`$]+/)

            case @scanner.getch
            when "\\" then @scanner.getch
            when "`" then skip_backticks(at)
            when "$" then skip_expansion(at)
            end
          end
        end

        def skip_backticks(at)
          @scanner.skip(/(?:[^\\`]|\\.)*`/m) || unfinished("`", at)
        end

        def skip_expansion(at)
          if @scanner.skip(/\(/) then skip_nested(/\(/, /\)/, at)
          elsif @scanner.skip(/\{/) then skip_nested(/\{/, /\}/, at)
          end
        end

        def skip_array(at)
          @scanner.getch
          skip_nested(/\(/, /\)/, at)
        end

        def skip_nested(open, close, at)
          depth = 1
          until depth.zero?
            unfinished("bracket", at) if @scanner.eos?
            if @scanner.skip(open) then depth += 1
            elsif @scanner.skip(close) then depth -= 1
            elsif @scanner.check(/[\\'"`$]/) then skip_piece(at)
            else @scanner.getch
            end
          end
        end

        def unfinished(what, at)
          raise Problem.new("#{what} is not closed", @path, at)
        end
      end
    end
  end
end
