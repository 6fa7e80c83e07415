# frozen_string_literal: true

module Milter
  module Manager
    # A line of what --explain says: a block of a condition, asked for one child at one step.
    ExplainRow = Struct.new(:step, :recipient, :condition, :block, :origin, :answer, :asked, :about,
                            :seconds, :same_as, :failure, :fallback, :inner, keyword_init: true) do
      class << self
        # What was said for CHILD, in the order in which it counts.
        # @param entries [Array<ExplainTrace::Entry>] of the question, of all children
        def of(child, step, recipient, entries)
          rows = []
          stoppers_of(child, step).each do |stopper|
            about = entries.select { |entry| entry.stopper.equal?(stopper) }
            own = about.select { |entry| entry.child == child.index }
            next if about.empty?

            rows << make(step, recipient, own.empty? ? [about.first] : own, own.empty?)
            break if rows.last.stops?
          end
          rows
        end

        # The Ruby thread did not answer.
        def late(step, recipient, seconds, decision)
          answer = %w[applies stops] [decision] || "temporary failure"
          new(step: step, recipient: recipient, answer: answer, asked: 1, seconds: seconds,
              failure: format("no answer within %.1f s; Ruby is busy", seconds), fallback: nil, inner: [])
        end

        private

        def stoppers_of(child, step)
          kinds = Plan::STEPS[Explain::STEPS.index(step)]
          child.conditions.flat_map { |each| kinds.flat_map { |kind| each.stoppers.fetch(kind, []) } }
        end

        # ENTRIES are of one block; the last one is what ended the asking.
        def make(step, recipient, entries, is_shared)
          last = entries.last
          failed = entries.reverse.find(&:error)
          fallback = failed && failed.condition.fallback
          new(step: step, recipient: recipient, condition: last.condition.name, block: last.stopper.word,
              origin: last.stopper.origin, answer: answer(recipient, last, fallback), asked: entries.size,
              about: last.about, seconds: is_shared ? 0.0 : entries.sum(&:seconds),
              same_as: is_shared ? last.child : nil, failure: failed && reason(failed.error),
              fallback: fallback, inner: inner(recipient, last))
        end

        def answer(recipient, last, fallback)
          stop = recipient ? "hides" : "stops"
          return stop if last.value

          { nil => "applies", apply: "applies", stop: stop,
            temporary_failure: "temporary failure" }.fetch(fallback)
        end

        def reason(error)
          error.is_a?(ConditionTimeout) ? error.message : Failure.describe(error)
        end

        def inner(recipient, entry)
          (entry.inner || []).map { |each| make(nil, recipient, [each], false) }
        end
      end

      def stops?
        %w[stops hides].include?(answer)
      end

      # Take the times of OTHER in, where it says the same of what came later.
      def absorb(other)
        return false unless other.said == said

        self.asked += other.asked
        self.seconds += other.seconds
        true
      end

      # All but how often and how long.
      def said
        [step, recipient, condition, block, origin, answer, about, same_as, failure, fallback, inner.map(&:said)]
      end

      # For --json.
      def to_h
        { "step" => step, "recipient" => recipient, "condition" => condition,
          "block" => block, "origin" => origin, "answer" => answer,
          "asked" => asked, "header" => about, "seconds" => seconds.round(6), "same_as" => same_as,
          "failure" => failure, "fallback" => fallback&.to_s,
          "asked_conditions" => inner.empty? ? nil : inner.map(&:to_h) }.compact
      end
    end
  end
end
