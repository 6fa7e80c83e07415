# frozen_string_literal: true

module Milter
  module Manager
    # A condition that lets children see only messages all of whose recipients pass a test.
    class RestrictAccounts
      # @yield [context, recipient] whether the recipient passes
      def initialize(&test)
        @test = test
      end

      # Each recipient is tested when it comes; whether the children go on is decided when
      # all are known, so that an accepted message was seen by them with all or with none.
      def define_stoppers(condition)
        condition.define_envelope_from_stopper do |context, _from|
          ConditionState.store(context, self, false)
          false
        end
        condition.define_envelope_recipient_stopper do |context, recipient|
          ConditionState.store(context, self, true) unless failed?(context) || @test.call(context, recipient)
          false
        end
        condition.define_data_stopper { |context| failed?(context) }
      end

      private

      def failed?(context)
        ConditionState.fetch(context, self) { false }
      end
    end
  end
end
