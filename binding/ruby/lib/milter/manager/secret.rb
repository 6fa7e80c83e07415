# frozen_string_literal: true

module Milter
  module Manager
    # A text that only --show-secrets prints: a password, or a URL that holds one.
    class Secret
      HIDDEN = "***"
      # password: "x", "password" => 'x', db_password = "x"
      ASSIGNED = /(\b\w*(?:password|passwd|passphrase|secret|token)["']?\s*(?:=>|:|=(?![=~]))\s*)(["'])(?:\\.|(?!\2)[^\n])*\2/i
      IN_URL = %r{(//[^:/@\s"']*):[^/@\s"']*@}

      class << self
        # Whether #shown is the text itself.
        attr_accessor :are_shown

        # A Secret for what has one; other values as they are.
        def of(value)
          value.is_a?(String) ? new(value) : value
        end

        # TEXT, some Ruby, with what looks like a password hidden.
        def mask(text)
          return text if are_shown

          text.gsub(ASSIGNED) { "#{Regexp.last_match(1)}#{Regexp.last_match(2)}#{HIDDEN}#{Regexp.last_match(2)}" }
              .gsub(IN_URL) { "#{Regexp.last_match(1)}:#{HIDDEN}@" }
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
