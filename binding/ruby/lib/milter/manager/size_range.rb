# frozen_string_literal: true

module Milter
  module Manager
    # Messages of certain sizes: as the client declared (SIZE= at MAIL) and as seen.
    class SizeRange < Tunable
      # @param name [String] of the condition
      def initialize(name)
        super("size(#{name.dump})")
        @maximum = nil
        @minimum = nil
      end

      attr_reader :maximum, :minimum

      # Bytes from which on a message is too large; nil: none is.
      def maximum=(bytes)
        @maximum = check_number(:maximum, bytes, nil_allowed: true)
        note_set(:maximum, bytes)
      end

      # Bytes below which a message is too small; known only at its end.
      def minimum=(bytes)
        @minimum = check_number(:minimum, bytes, nil_allowed: true)
        note_set(:minimum, bytes)
      end

      # A child is stopped as soon as the message is known to be too large.
      def define_stoppers(condition)
        condition.description ||= "Apply a milter only to mail of certain sizes"
        condition.define_envelope_from_stopper { |context, _from| too_large?(context) }
        condition.define_header_stopper { |context, _name, _value| too_large?(context) }
        condition.define_body_stopper { |context, _chunk| too_large?(context) }
        condition.define_end_of_message_stopper do |context|
          too_large?(context) || too_small?(context)
        end
      end

      private

      def defaults
        { maximum: nil, minimum: nil }
      end

      # What the client declared, or what came, where that is more.
      def too_large?(context)
        !@maximum.nil? && [context.declared_size.to_i, context.seen_size].max > @maximum
      end

      def too_small?(context)
        !@minimum.nil? && context.seen_size < @minimum
      end
    end
  end
end
