# frozen_string_literal: true

require "strscan"

module Milter
  module Manager
    # A POSIX regular expression as Ruby's: "^" and "$" are the ends of the text and not of
    # lines, a backslash in brackets is a letter, "\<" and "\>" are the ends of a word.
    class PosixPattern
      # @param lines [Boolean] whether ^ and $ match at lines, and "." no line's end
      # @param extended [Boolean] false: a basic expression, where \( and \{ are special
      def initialize(source, ignore_case: true, lines: false, extended: true)
        @source = source.b
        @ignore_case = ignore_case
        @lines = lines
        @extended = extended
      end

      # @raise [RegexpError]
      def to_regexp
        options = Regexp::NOENCODING
        options |= Regexp::IGNORECASE if @ignore_case
        options |= Regexp::MULTILINE unless @lines
        Regexp.new(translate, options)
      end

      private

      def translate
        scanner = StringScanner.new(@source)
        out = +"".b
        until scanner.eos?
          out << if scanner.scan(/\[(\^?)/n) then bracket(scanner, scanner[1])
                 elsif scanner.scan(/\\(.?)/mn) then escape(scanner[1])
                 else plain(scanner.getch)
                 end
        end
        out
      end

      def plain(char)
        case char
        when "^" then @lines ? "^" : "\\A"
        when "$" then @lines ? "$" : "\\z"
        when "(", ")", "{", "}", "+", "?", "|" then @extended ? char : "\\#{char}"
        else char
        end
      end

      def escape(char)
        case char
        when "" then "\\\\"
        when "<" then "\\b(?=\\w)"
        when ">" then "\\b(?<=\\w)"
        when "(", ")", "{", "}", "+", "?", "|" then @extended ? "\\#{char}" : char
        else "\\#{char}"
        end
      end

      # From after "[" or "[^" to the closing bracket, which as the first is a letter.
      def bracket(scanner, caret)
        out = +"[#{caret}".b
        out << "\\]" if scanner.scan(/\]/n)
        loop do
          raise RegexpError, "a bracket is not closed" if scanner.eos?

          if scanner.scan(/\]/n) then return out << "]"
          elsif (name = scanner.scan(/\[:\^?[a-z]+:\]/n)) then out << name
          elsif scanner.scan(/\[([.=])(.)\1\]/n) then out << Regexp.escape(scanner[2])
          else out << bracket_char(scanner.getch)
          end
        end
      end

      def bracket_char(char)
        char.match?(/[\[\\&]/n) ? "\\#{char}" : char
      end
    end
  end
end
