# frozen_string_literal: true

module Milter
  module Manager
    # A text file with an entry a line; "#" starts a comment, empty lines do not count.
    module ListFile
      module_function

      # Yield each entry with "FILE:LINE"; its results.
      def parse(text, path)
        text.b.each_line.with_index(1).filter_map do |line, number|
          entry = line.sub(/(?:\A|\s)#.*/mn, "").strip
          yield(entry, "#{path}:#{number}") unless entry.empty?
        end
      end

      # The regular expression in "/text/" or "/text/i"; nil when ENTRY is something else.
      def regexp(entry, place)
        match = entry.match(%r{\A/(.*)/([imx]*)\z}n)
        return nil unless match

        options = { "i" => Regexp::IGNORECASE, "m" => Regexp::MULTILINE, "x" => Regexp::EXTENDED }
        Regexp.new(match[1], match[2].each_char.sum { |flag| options.fetch(flag) } | Regexp::NOENCODING)
      rescue RegexpError => error
        raise ConfigurationError.new("#{entry}: #{error.message}", place)
      end
    end
  end
end
