# frozen_string_literal: true

module Milter
  module Manager
    # Ends decisions that compute for too long: a thread that raises in the Ruby thread.
    #
    # Only while code of users runs.  The thread looks and raises under Ruby's lock, and what it
    # raises comes before the Ruby thread does anything else: it is rescued where the block was
    # called, and cannot hit the engine or somebody else's decision.
    class Watchdog
      INTERVAL = 0.1       # s
      UNWIND_SECONDS = 0.5 # for ensure, once a decision's time is over

      def initialize
        @watched = Thread.current
      end

      # When there is something to watch.
      # @return [Thread]
      def start
        @thread = Thread.new { loop { look } } unless @thread&.alive?
        @thread
      end

      private

      def look
        sleep INTERVAL
        task = Native.task
        deadline = task&.deadline
        return unless deadline && Native.exposed
        # What is kept waiting by the condition is raised when it allows that.
        return if now < deadline || @watched.pending_interrupt?

        task.is_expired = true
        task.deadline = now + UNWIND_SECONDS
        error = ConditionTimeout.new(format("computed for more than %.1f s", task.limit))
        Native.strike(task, @watched, error)
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
