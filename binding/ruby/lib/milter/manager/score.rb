# frozen_string_literal: true

module Milter
  module Manager
    # Weights of conditions that hold at connect, added up: the child takes part from the
    # threshold on.
    class Score
      # @param weights [Array<Array(Condition, Numeric)>]
      def initialize(weights, threshold)
        @weights = weights
        @threshold = threshold
        weights.each { |member, _| check(member) }
      end

      def define_stoppers(condition)
        condition.define_connect_stopper do |context, *arguments|
          total(context, arguments) < @threshold
        end
      end

      private

      def check(member)
        later = member.stoppers.reject { |step, all| step.to_s == "connect" || all.empty? }.keys
        return if later.empty?

        raise ConfigurationError, "score: \"#{member.name}\" decides at #{later.first}; " \
                                  "only conditions that decide at connect can be scored"
      end

      def total(context, arguments)
        @weights.sum { |member, weight| holds?(member, context, arguments) ? weight : 0 }
      end

      def holds?(member, context, arguments)
        member.stoppers.fetch("connect", [])
              .none? { |stopper| stopper.block.call(context, *arguments) }
      end
    end
  end
end
