# frozen_string_literal: true

module Milter
  module Manager
    # Something in the configuration is wrong; the message says what and what to do.
    class ConfigurationError < StandardError
      # @param location [String, nil] "FILE:LINE" at fault, where it is not the line that runs
      def initialize(message = nil, location = nil)
        super(message)
        @location = location
      end

      attr_reader :location
    end
  end
end
