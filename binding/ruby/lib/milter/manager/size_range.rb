# frozen_string_literal: true

module Milter
  module Manager
    # Messages of certain sizes: as the client declared (SIZE= at MAIL) and as seen.
    class SizeRange < Tunable
      DECLARED = /\ASIZE=(\d{1,20})\z/in

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
        condition.define_envelope_from_stopper do |context, _from|
          ConditionState.store(context, self, 0)
          too_large?(declared(context))
        end
        condition.define_header_stopper do |context, name, value|
          too_large?(add(context, name.bytesize + value.bytesize + 3))
        end
        condition.define_body_stopper { |context, chunk| too_large?(add(context, chunk.bytesize)) }
        condition.define_end_of_message_stopper { |context| too_small?(add(context, 0)) }
      end

      def dump
        super + %w[maximum minimum].map do |item|
          instance_variable_get("@#{item}") ? "" : "#{@word}.#{item} = nil # default\n"
        end.join
      end

      private

      def too_large?(bytes)
        !@maximum.nil? && bytes > @maximum
      end

      def too_small?(bytes)
        !@minimum.nil? && bytes < @minimum
      end

      # What SIZE= said, 0 when it said nothing.
      def declared(context)
        context.mail_parameters.to_s.b.split.filter_map { |word| word[DECLARED, 1] }.first.to_i
      end

      def add(context, bytes)
        ConditionState.store(context, self, ConditionState.fetch(context, self) { 0 } + bytes)
      end
    end
  end
end
