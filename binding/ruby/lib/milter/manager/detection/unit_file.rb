# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # The syntax of systemd's unit files (systemd.syntax(7)): sections, "KEY=VALUE",
      # continued lines, comments.
      module UnitFile
        PROBLEMS_MAX = 3 # that are named, of a file that is none

        Entry = Struct.new(:section, :key, :setting)

        module_function

        # Lines that are none of it are passed over; the block is given a Problem for each.
        # @return [Array<Entry>]
        def parse(text, path)
          section = nil
          problems = 0
          entries = each_line(text).filter_map do |line, n|
            if line.start_with?("[") && line.end_with?("]")
              section = line[1..-2]
              next
            end
            key, value = line.split("=", 2)
            unless value
              problems += 1
              next if problems > PROBLEMS_MAX

              yield Problem.new("\"#{line[0, 60]}\" is neither a section nor KEY=VALUE", path, n)
              next
            end

            Entry.new(section, key.strip, Setting.new(value.strip, path, n))
          end
          more = problems - PROBLEMS_MAX
          yield Problem.new("#{more} more lines are neither a section nor KEY=VALUE", path) if more.positive?
          entries
        end

        # Lines that count, put together where they are continued, with the number of the first.
        def each_line(text)
          lines = []
          pending = nil
          text.each_line.with_index(1) do |line, n|
            line = line.strip
            next if line.start_with?("#", ";")

            pending ||= [+"", n]
            if line.end_with?("\\")
              pending[0] << line.chop << " "
              next
            end
            lines << [pending[0] << line, pending[1]]
            pending = nil
          end
          lines << pending if pending
          lines.each { |each| each[0].strip! }.reject { |line, _| line.empty? }
        end
      end
    end
  end
end
