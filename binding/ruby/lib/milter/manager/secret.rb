# frozen_string_literal: true

module Milter
  module Manager
    # A text that only --show-secrets prints: a password, or a URL that holds one.
    class Secret
      HIDDEN = "***"

      class << self
        # Whether #shown is the text itself.
        attr_accessor :are_shown

        # A Secret for what has one; other values as they are.
        def of(value)
          value.is_a?(String) ? new(value) : value
        end

        # URL, secret if it has a password.
        def of_url(url)
          hidden = url.gsub(%r{(//[^:/@]*):[^/]*@}) { "#{Regexp.last_match(1)}:#{HIDDEN}@" }
                      .gsub(/([?&](?:password|passwd|sslpassword)=)[^&#]*/) { "#{Regexp.last_match(1)}#{HIDDEN}" }
          hidden == url ? url : new(url, hidden)
        end
      end

      # The text itself: for the library that needs it, never for a message.
      attr_reader :value

      def initialize(value, hidden = HIDDEN)
        @value = value
        @hidden = hidden
      end

      # What --show-config prints.
      def shown
        Secret.are_shown ? @value : @hidden
      end

      def to_s
        @hidden
      end

      def inspect
        @hidden.inspect
      end
    end
  end
end
