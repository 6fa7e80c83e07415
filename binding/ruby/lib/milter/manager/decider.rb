# frozen_string_literal: true

module Milter
  module Manager
    # Runs in a worker's Ruby thread: takes questions and works on them in fibers.  What one fiber
    # does for a question is decision.c.
    class Decider
      END_SECONDS = 1.0    # for what is left to unwind when the worker ends
      INSIST_SECONDS = 5.0 # between time limits for what does not end at the first

      # @param hooks [Hooks, nil] what else runs in this thread, computing for LIMIT seconds at most
      def initialize(plan, hooks = nil, limit = 10)
        @children = plan.children
        @hooks = hooks
        @limit = limit
        @decisions = {} # those that wait, by id
      end

      # Until the worker ends.
      def run
        @scheduler = Scheduler.new
        Native.open_decisions(self, @children.map(&:name), @children.map(&:stoppers))
        @watchdog = Watchdog.new
        Waiting.install
        Fiber.set_scheduler(@scheduler)
        start_hooks if @hooks
        loop { break unless turn }
        unwind
      end

      # --- for decision.c and decide.c ---

      # The watchdog's thread.
      def watch
        @watchdog.start
      end

      # A decision is not done yet: it waits, or ERROR kept it from being worked on.
      def started(decision, error)
        case error
        when nil then nil
        when FiberError, NoMemoryError # by the fallbacks, here
          log(decision, error)
          decision.is_expired = true
          decision.work
        else raise error
        end
      ensure
        await(decision) unless decision.done?
      end

      # What raised in a block means for a child; it is logged.
      # @raise [SessionClosed] when nobody wants to know any more
      def fail_with(decision, stopper, error)
        raise SessionClosed if decision.is_closed

        reason = error.is_a?(ConditionTimeout) ? error.message : Failure.describe(error)
        # Some have no place, or one in what the block has called.
        reason = "#{stopper.origin}: #{reason}" unless Failure.located?(error)
        Logger.error("session=#{decision.session.id} condition=#{stopper.condition.name.dump} " \
                     "stopper=#{stopper.kind} failed=#{reason.dump} " \
                     "fallback=#{stopper.condition.fallback}")
        stopper.fallback
      end

      # What raised elsewhere.
      def log(decision, error)
        Logger.error("session=#{decision.session.id} conditions=failed reason=#{Failure.describe(error).dump}")
      end

      # A decision that has waited is done.
      def answered(decision)
        @decisions.delete(decision.id)
        @scheduler.forget(decision.timer)
      end

      def check_clients(clients)
        @event_loop.run(@check, clients) { |gone| Native.clients_checked(gone || []) }
      end

      # One at a time: what comes while hooks wait is no more than what they do already.
      def maintain
        return if @is_maintaining || !@event_loop

        @is_maintaining = true
        @event_loop.run(@maintenance) { @is_maintaining = false }
      end

      def cancel(id)
        decision = @decisions[id]
        return if decision.nil? || decision.is_closed

        decision.is_closed = true
        return if decision.is_expired # it unwinds already, and is not to be disturbed in that

        @scheduler.forget(decision.timer)
        insist(decision)
        @scheduler.interrupt(decision, SessionClosed.new("the session goes on without an answer"))
      end

      def close(session)
        @decisions.values.each { |each| cancel(each.id) if each.session.equal?(session) }
      end

      private

      def turn
        return nil unless @scheduler.turn(true)

        Native.follow_orders(self)
        true
      rescue Exception => error # rubocop:disable Lint/RescueException -- other threads can raise any here
        Logger.error("conditions=disturbed reason=#{Failure.describe(error).dump}")
        true
      end

      def start_hooks
        @event_loop = EventLoop.new(@scheduler, @limit) { @watchdog.start }
        @maintenance = Hooks::Hook.new("maintenance", "milter-manager", Maintenance.new(@hooks).method(:run))
        @checks = ConnectionChecks.new(@hooks.connection_checkers)
        @check = Hooks::Hook.new("connection check", "milter-manager", @checks.method(:gone))
        @hooks.create_event_loop(@event_loop)
      end

      def await(decision)
        @decisions[decision.id] = decision
        decision.timer = @scheduler.after(decision.limit) { expire(decision) }
      end

      # --- limits and ends ---

      def expire(decision)
        return if decision.done?

        decision.is_expired = true
        insist(decision)
        @scheduler.interrupt(decision, ConditionTimeout.new(format("no answer within %.1f s", decision.limit)))
      end

      # Time to unwind, in which the watchdog's error would replace another; later, raise again
      # in what has not ended by then.
      def insist(decision)
        unwound_at = Process.clock_gettime(Process::CLOCK_MONOTONIC) + Watchdog::UNWIND_SECONDS
        decision.deadline = [decision.deadline, unwound_at].max
        decision.timer = @scheduler.after(INSIST_SECONDS) { expire(decision) }
      end

      def unwind
        @decisions.keys.each { |id| cancel(id) }
        end_at = Process.clock_gettime(Process::CLOCK_MONOTONIC) + END_SECONDS
        timer = @scheduler.after(END_SECONDS) { nil }
        until @decisions.empty? || Process.clock_gettime(Process::CLOCK_MONOTONIC) > end_at
          @scheduler.turn(true) or sleep(0.01)
        end
        @scheduler.forget(timer)
      end
    end
  end
end
