# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Files that systemd's EnvironmentFile= names (systemd.exec(5)): like assignments of the
      # shell, but nothing is expanded in them.
      module EnvironmentFile
        module_function

        # @return [Hash{String => Setting}]
        def parse(text, path)
          scanner = StringScanner.new(text)
          settings = {}
          until scanner.eos?
            next if scanner.skip(/[ \t\r\n]+/) || scanner.skip(/[#;](?:\\\r?\n|[^\n])*/)

            line = text.byteslice(0, scanner.pos).count("\n") + 1
            name = scanner.scan(/[^=\n]*/).to_s.strip
            next unless scanner.skip(/=/)

            value = value(scanner)
            settings[name] = Setting.new(value, path, line) if name.match?(/\A[A-Za-z_]\w*\z/)
          end
          settings
        end

        def value(scanner)
          value = +""
          scanner.skip(/[ \t]+/)
          until scanner.eos? || scanner.check(/\n/)
            value << if scanner.scan(/'([^']*)('|\z)/m)
                       scanner[1]
                     elsif scanner.scan(/"((?:[^"\\]|\\.)*)("|\z)/m)
                       scanner[1].gsub(/\\\n/, "").gsub(/\\(["\\`$])/, "\\1")
                     elsif scanner.skip(/\\\r?\n/)
                       ""
                     elsif scanner.scan(/\\(.)/)
                       scanner[1]
                     else
                       scanner.scan(/[^\\\n'"]+/) || scanner.getch
                     end
          end
          value.sub(/[ \t\r]+\z/, "")
        end

        private_class_method :value
      end
    end
  end
end
