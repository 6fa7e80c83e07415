# frozen_string_literal: true

module Milter
  module Manager
    # The logical lines of a Postfix table: comments and empty lines do not count, a line that
    # starts with white space continues the one before.
    module PostfixTableLines
      module_function

      # @param source [String, IO]
      # @return [Array<Array(String, Integer)>] text and the number of its first line
      def of(source)
        text = source.respond_to?(:read) ? source.read : source
        text.b.each_line(chomp: true).with_index(1).each_with_object([]) do |(line, number), lines|
          next if line.match?(/\A\s*(?:#|\z)/n)

          if line.match?(/\A\s/n) && lines.any?
            lines.last[0] << line.rstrip
          else
            lines << [line.strip, number]
          end
        end
      end
    end
  end
end
