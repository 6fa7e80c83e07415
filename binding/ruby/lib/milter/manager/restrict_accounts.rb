# frozen_string_literal: true

module Milter
  module Manager
    # A condition that lets children see only messages all of whose recipients pass a test.
    class RestrictAccounts
      # @yield [context, recipient] whether the recipient passes
      def initialize(&test)
        @test = test
      end

      # Decided when all recipients are known: a child sees a message for all or not at all.
      def define_stoppers(condition)
        condition.define_envelope_stopper do |context, _sender, recipients|
          !recipients.all? { |recipient| @test.call(context, recipient) }
        end
      end
    end
  end
end
