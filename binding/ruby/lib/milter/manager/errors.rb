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

    # The language has this word, this version has not yet the feature.
    class NotAvailable < ConfigurationError
      def initialize(what)
        super("#{what}: not available in this version; remove the line")
      end
    end
  end
end
