# frozen_string_literal: true

module Milter
  module Manager
    # The address of MAIL or RCPT: "<Info@Example.Com>" is info@example.com at example.com.
    # Bytes in, bytes out.
    class EnvelopeAddress
      # What needs no quotes before the @.
      ATOM = /[^\x00-\x20\x7f"(),:;<>@\[\]\\.]+/n
      DOT_ATOM = /\A#{ATOM}(?:\.#{ATOM})*\z/n
      QUOTED = /\A"(?:[^"\\]|\\.)*"\z/mn

      # @param text [String, EnvelopeAddress] as it came, with or without < and >
      def self.of(text)
        text.is_a?(EnvelopeAddress) ? text : new(text)
      end

      def initialize(text)
        @text = text.to_s.b
      end

      # The address without < and > and source route, needless quotes and a dot at its end, in
      # lower case; "" for the null sender.
      def address_spec
        @address_spec ||= domain ? "#{local_part}@#{domain}".b : local_part
      end

      # What is before the last @; all, where there is none.
      def local_part
        parts.first
      end

      # What is after the last @, without a dot at its end; nil where there is none.
      def domain
        parts.last
      end

      # Whether it is the null sender, <>.
      def null?
        address_spec.empty?
      end

      def to_s
        @text
      end

      private

      def parts
        @parts ||= begin
          text = strip(@text).downcase(:ascii)
          at = text.rindex("@") unless QUOTED.match?(text)
          at ? [unquoted(text[0...at]), text[(at + 1)..].chomp(".")] : [unquoted(text), nil]
        end
      end

      # "bob" is bob, and "b\ob" as well; "b ob" is what it is.
      def unquoted(local)
        return local unless QUOTED.match?(local)

        inside = local[1..-2].gsub(/\\(.)/mn, "\\1")
        DOT_ATOM.match?(inside) ? inside : local
      end

      def strip(text)
        inside = text.strip
        inside = inside[1..] if inside.start_with?("<")
        inside = inside.chomp(">")
        inside.sub(/\A@[^:"]*:/n, "")
      end
    end
  end
end
