# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # A value found in a file, and where.
      Setting = Struct.new(:value, :path, :line) do
        # "FILE:LINE"
        def origin
          line ? "#{path}:#{line}" : path
        end

        # Another value made from this one.
        def with(value)
          Setting.new(value, path, line)
        end
      end

      # Something that cannot be read as what it should be; the message is "FILE:LINE: reason".
      class Problem < StandardError
        def initialize(reason, path, line = nil)
          super("#{[path, line].compact.join(':')}: #{reason}".gsub(/[[:cntrl:]]/, "?"))
        end
      end
    end
  end
end
