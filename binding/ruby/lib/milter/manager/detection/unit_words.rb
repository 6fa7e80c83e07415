# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Words of a unit file's value: quotes and C escapes (systemd.syntax(7), "Quoting"),
      # specifiers (systemd.unit(5)) and variables (systemd.service(5), "Command lines").
      module UnitWords
        ESCAPES = { "a" => "\a", "b" => "\b", "f" => "\f", "n" => "\n", "r" => "\r", "t" => "\t",
                    "v" => "\v", "s" => " ", "\\" => "\\", "\"" => "\"", "'" => "'" }.freeze
        DIRECTORIES = { "t" => "/run", "S" => "/var/lib", "C" => "/var/cache", "L" => "/var/log",
                        "E" => "/etc", "T" => "/tmp", "V" => "/var/tmp", "h" => "/root",
                        "u" => "root", "U" => "0", "g" => "root", "G" => "0", "%" => "%" }.freeze
        NAME = /[A-Za-z_][A-Za-z0-9_]*/

        module_function

        # Words of TEXT, quotes and escapes resolved.
        def split(text)
          words = []
          word = nil
          scanner = StringScanner.new(text)
          until scanner.eos?
            if scanner.skip(/[ \t\n\r]+/)
              words << word if word
              word = nil
            else
              (word ||= +"") << piece(scanner)
            end
          end
          words << word if word
          words
        end

        # The next part of a word.
        def piece(scanner)
          if scanner.scan(/"((?:[^"\\]|\\.)*)("|\z)/m) || scanner.scan(/'((?:[^'\\]|\\.)*)('|\z)/m)
            unescape(scanner[1])
          elsif scanner.scan(/\\(?:x\h\h|[0-7]{3}|.)/m)
            unescape(scanner.matched)
          else
            scanner.scan(/[^ \t\n\r\\"']+/) || scanner.getch
          end
        end

        def unescape(text)
          text.gsub(/\\(x\h\h|[0-7]{3}|.)/m) do
            escape = Regexp.last_match(1)
            if escape.size > 1
              code = escape.start_with?("x") ? escape[1..].hex : escape.oct
              code.zero? ? SocketSpec::UNKNOWN : code.chr(Encoding::UTF_8)
            else
              ESCAPES.fetch(escape) { "\\#{escape}" }
            end
          end
        end

        # TEXT with its specifiers replaced for the unit NAME, "a@b.service".
        def specify(text, name)
          return text unless text.include?("%")

          prefix, instance = name.sub(/\.\w+\z/, "").split("@", 2)
          known = DIRECTORIES.merge(
            "n" => name, "N" => name.sub(/\.\w+\z/, ""), "p" => prefix, "P" => path(prefix),
            "i" => instance.to_s, "I" => path(instance.to_s), "f" => "/#{path(instance || prefix)}",
            "j" => prefix[/[^-]*\z/], "J" => path(prefix[/[^-]*\z/])
          )
          text.gsub(/%(.)/) { known.fetch(Regexp.last_match(1), SocketSpec::UNKNOWN) }
        end

        # An escaped name as text: "-" is "/", "\x2d" is "-".
        def path(name)
          name.tr("-", "/").gsub(/\\x(\h\h)/) { Regexp.last_match(1).hex.chr }
        end

        # Words with the variables of a command line replaced: "$NAME" as a word of its own may
        # become several words or none, "${NAME}" anywhere is replaced as it is.
        def substitute(words, variables)
          words.flat_map do |word|
            if word.match?(/\A\$#{NAME}\z/)
              split(variables.fetch(word[1..], ""))
            else
              [word.gsub(/\$\$|\$\{(#{NAME})\}/) { |all| all == "$$" ? "$" : variables.fetch($1, "") }]
            end
          end
        end
      end
    end
  end
end
