# frozen_string_literal: true

module Milter
  module Manager
    # Notes what blocks of conditions say, for --explain: every block is put into one that looks
    # at the clock and writes down the answer.
    class ExplainTrace
      # What STOPPER of a condition said for the child of an index, about which header field;
      # INNER: what blocks of other conditions it asked for that.
      Entry = Struct.new(:child, :condition, :kind, :stopper, :about, :value, :seconds, :error, :inner)

      # Fiber-local: the entries that are not finished, outermost first.
      OPEN = :milter_manager_explain

      def initialize
        @entries = []
      end

      # @param conditions [Enumerable<Condition>] before anything is made of their blocks
      def install(conditions)
        conditions.each do |condition|
          condition.stoppers.each do |kind, all|
            all.map! { |stopper| noted(condition, kind.to_s, stopper) }
          end
        end
      end

      # What was noted since the last call.
      def take
        taken = @entries
        @entries = []
        taken
      end

      # Call the block and finish ENTRY with what it says.
      def note(entry)
        open = Thread.current[OPEN] ||= []
        (open.last ? open.last.inner ||= [] : @entries) << entry
        open.push(entry)
        since = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        begin
          value = yield
          entry.value = value ? true : false
          value
        rescue Exception => error # rubocop:disable Lint/RescueException -- whatever users raise
          entry.error = error
          raise
        ensure
          entry.seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - since
          open.pop
        end
      end

      private

      def noted(condition, kind, stopper)
        trace = self
        noted = Condition::Stopper.new(nil, stopper.origin, stopper.word)
        noted.block = proc do |context, *arguments|
          about = kind == "header" ? arguments.first : nil
          entry = Entry.new(context.index, condition, kind, noted, about)
          trace.note(entry) { stopper.block.call(context, *arguments) }
        end
        noted
      end
    end
  end
end
