# frozen_string_literal: true

module Milter
  module Manager
    # The address of MAIL or RCPT: "<Info@Example.Com>" is info@example.com at example.com.
    # Bytes in, bytes out.
    class EnvelopeAddress
      # @param text [String, EnvelopeAddress] as it came, with or without < and >
      def self.of(text)
        text.is_a?(EnvelopeAddress) ? text : new(text)
      end

      def initialize(text)
        @text = text.to_s.b
      end

      # The address without < and > and source route, in lower case; "" for the null sender.
      def address_spec
        @address_spec ||= strip(@text).downcase(:ascii)
      end

      # What is before the last @; all, where there is none.
      def local_part
        at = address_spec.rindex("@")
        at ? address_spec[0...at] : address_spec
      end

      # What is after the last @, without a dot at its end; nil where there is none.
      def domain
        at = address_spec.rindex("@")
        at && address_spec[(at + 1)..].chomp(".")
      end

      # Whether it is the null sender, <>.
      def null?
        address_spec.empty?
      end

      def to_s
        @text
      end

      private

      def strip(text)
        inside = text.strip
        inside = inside[1..] if inside.start_with?("<")
        inside = inside.chomp(">")
        inside.sub(/\A@[^:"]*:/n, "")
      end
    end
  end
end
