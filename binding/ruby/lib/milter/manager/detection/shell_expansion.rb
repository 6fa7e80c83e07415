# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Expands words of a script: quotes, parameters, and what little of command substitution
      # can be told without running anything.  What cannot be told becomes SocketSpec::UNKNOWN.
      # A part of Shell.
      module ShellExpansion
        UNKNOWN = SocketSpec::UNKNOWN
        PARAMETER = /\A([A-Za-z_]\w*|[0-9@*#?$!-])(?:(:?[-=+?]|##?|%%?)(.*))?\z/m

        # The fields that a word becomes.
        def fields(word)
          fields = []
          open = false
          each_piece(word) do |text, quoted|
            if quoted
              fields << +"" unless open
              fields.last << text
              open = true
            else
              text.split(/([ \t\n]+)/).each do |part|
                next open = false if part.match?(/\A[ \t\n]+\z/)
                next if part.empty?

                fields << +"" unless open
                fields.last << part
                open = true
              end
            end
          end
          fields
        end

        # What a word becomes where it is not split.
        def expand(word)
          text = +""
          each_piece(word) { |part, _| text << part }
          text
        end

        private

        # Yields [text, whether it is quoted] for each piece.
        def each_piece(word, in_quotes = false)
          scanner = StringScanner.new(word)
          until scanner.eos?
            if (text = scanner.scan(in_quotes ? /[^\\`$]+/ : /[^\\'"`$]+/))
              yield text, true
            elsif scanner.skip(/\\/) then yield escaped(scanner, in_quotes), true
            elsif scanner.scan(/`((?:[^\\`]|\\.)*)`?/m) then yield substitute(scanner[1]), in_quotes
            elsif scanner.check(/\$/) then yield dollar(scanner), in_quotes
            elsif scanner.scan(/'([^']*)'?/) then yield scanner[1], true
            else
              scanner.getch
              yield "", true
              each_piece(quoted(scanner), true) { |part, _| yield part, true }
            end
          end
        end

        # The inside of double quotes.
        def quoted(scanner)
          inside = +""
          until scanner.eos? || scanner.skip(/"/)
            inside << (scanner.scan(/[^\\"`$]+|\\.|`(?:[^\\`]|\\.)*`/m) || nested(scanner) || scanner.getch)
          end
          inside
        end

        # "$(…)" or "${…}" with all that is inside.
        def nested(scanner)
          open, close = { "$(" => %w[( )], "${" => %w[{ }] }[scanner.peek(2)]
          return unless open

          text = scanner.getch + scanner.getch
          depth = 1
          until depth.zero? || scanner.eos?
            char = scanner.getch
            depth += 1 if char == open
            depth -= 1 if char == close
            text << char
          end
          text
        end

        def escaped(scanner, in_quotes)
          char = scanner.getch.to_s
          in_quotes && !char.match?(/[$`"\\\n]/) ? "\\#{char}" : char.delete("\n")
        end

        def dollar(scanner)
          if (text = nested(scanner))
            return parameter(text[2..-2]) if text.start_with?("${")

            return text.start_with?("$((") ? UNKNOWN : substitute(text[2..-2])
          end
          scanner.getch
          scanner.scan(/[A-Za-z_]\w*|[0-9@*#?$!-]/) ? value(scanner.matched).to_s : "$"
        end

        # ${NAME:-WORD} and its like.
        def parameter(text)
          return value(text[1..]).to_s.size.to_s if text.match?(/\A#[A-Za-z_]\w*\z/)

          name, operator, word = text.match(PARAMETER)&.captures
          return UNKNOWN unless name

          set = value(name)
          set = nil if set == "" && operator&.start_with?(":")
          case operator&.delete(":")
          when nil then set.to_s
          when "-" then set || expand(word)
          when "=" then set || expand(word).tap { |default| assign(name, default) }
          when "+" then set ? expand(word) : ""
          when "?" then set || UNKNOWN
          else trim(set.to_s, operator, expand(word))
          end
        end

        def trim(text, operator, pattern)
          lengths = (0..text.size).to_a
          lengths.reverse! if operator.size == 2
          front = operator.start_with?("#")
          found = lengths.find do |n|
            File.fnmatch(pattern, front ? text[0, n] : text[text.size - n, n], File::FNM_DOTMATCH)
          end
          return text unless found

          front ? text[found..] : text[0, text.size - found]
        end

        # The output of a command, as far as it can be told.
        def substitute(text)
          words = text.split
          case words.first
          when "set_rcvar" then "#{words[1] ? expand(words[1]) : value('name')}_enable"
          when "dirname" then File.dirname(expand(words[1].to_s))
          when "basename" then File.basename(expand(words[1].to_s))
          when "echo"
            return UNKNOWN if text.match?(/[|;&<>]/)

            words.drop(1).flat_map { |word| fields(word) }.join(" ")
          else UNKNOWN
          end
        end
      end
    end
  end
end
