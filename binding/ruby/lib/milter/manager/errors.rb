# frozen_string_literal: true

module Milter
  module Manager
    # An error that knows where its cause is.
    class LocatedError < StandardError
      # @param location [String, nil] "FILE:LINE" at fault, where it is not the line that runs
      def initialize(message = nil, location = nil)
        super(message)
        @location = location
      end

      attr_reader :location
    end

    # Something in the configuration is wrong; the message says what and what to do.
    class ConfigurationError < LocatedError; end

    # The session ended, or its message: raised in conditions that still wait.
    class SessionClosed < Exception; end # rubocop:disable Lint/InheritException -- not to be rescued by chance

    # A condition took longer than it may.
    class ConditionTimeout < Exception; end # rubocop:disable Lint/InheritException -- the same
  end
end
