# frozen_string_literal: true

module Milter
  module Manager
    # Runs in a worker's Ruby thread: takes questions, runs the stoppers in fibers, answers.
    class Decider
      include Asking

      RECIPIENT_STEP = 3
      HEADER_STEP = 5
      END_SECONDS = 1.0    # for what is left to unwind when the worker ends
      INSIST_SECONDS = 5.0 # between time limits for what does not end at the first
      BODY = "B".ord
      HEADER = "L".ord

      attr_reader :n_workers

      # @param hooks [Hooks, nil] what else runs in this thread, computing for LIMIT seconds at most
      def initialize(plan, n_workers, hooks = nil, limit = 10)
        @plan = plan
        @children = plan.children
        @n_workers = n_workers
        @hooks = hooks
        @limit = limit
        @sessions = {}
        @decisions = {}
        @pid = Process.pid
        @work = proc { |decision| work(decision) }
      end

      # Until the worker ends.
      def run
        @scheduler = Scheduler.new
        @watchdog = Watchdog.new(@scheduler)
        Waiting.install
        Fiber.set_scheduler(@scheduler)
        start_hooks if @hooks
        loop { break unless turn }
        unwind
      end

      # Contexts by the children's names.
      def children_of(session)
        @children.each_index.to_h { |index| [@children[index].name, context(session, index)] }
      end

      private

      def turn
        return nil unless @scheduler.turn(true)

        take_orders
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

      def check_clients(clients)
        @event_loop.run(@check, clients) { |gone| Native.clients_checked(gone || []) }
      end

      # One at a time: what comes while hooks wait is no more than what they do already.
      def maintain
        return if @is_maintaining || !@event_loop

        @is_maintaining = true
        @event_loop.run(@maintenance) { @is_maintaining = false }
      end

      def take_orders
        while (order = Native.next_order)
          case order.first
          when :cancel then cancel(order.last)
          when :close then close(order.last)
          when :maintain then maintain
          when :check then check_clients(order.last)
          else decide(order)
          end
        end
      end

      def decide(order)
        id, session_id, step, facts, items, statuses, limit, n_sessions, seen, children = order
        session = @sessions[session_id] ||= Session.new(session_id)
        session.take(facts)
        session.statuses = statuses
        session.n_sessions = n_sessions
        session.seen = seen
        decision = Decision.new(id, session, step, children, limit)
        decision.items = items && Native.packets(items)
        @watchdog.start
        work_on(decision)
      end

      # One fiber works on child after child; when it waits, another takes the rest.
      def work_on(decision)
        @scheduler.start(decision, @work) while decision.pending?
      rescue FiberError, NoMemoryError => error
        log(decision, error)
        decision.is_expired = true
        work(decision)
      ensure
        await(decision) unless decision.done?
      end

      def await(decision)
        @decisions[decision.id] = decision
        decision.timer = @scheduler.after(decision.limit) { expire(decision) }
      end

      def work(decision)
        while (position = decision.take)
          result = Decision::APPLY
          begin
            result = result_for(decision, decision.children[position])
          rescue SessionClosed
            nil
          rescue Exception => error # rubocop:disable Lint/RescueException -- no answer is lost
            result = fallback_of(decision, position)
            # A time limit: while it waited for what is being computed for another child.
            log(decision, error) unless error.is_a?(ConditionTimeout)
          ensure
            decision.finish(position, result)
          end
          decision.finish_rest(decision.common_result) if decision.common && decision.pending? && all_alike?(decision)
        end
        answer(decision) if decision.done?
      end

      def fallback_of(decision, position)
        @children[decision.children[position]].stoppers[decision.step].map(&:fallback).max
      end

      def answer(decision)
        if decision.timer
          @decisions.delete(decision.id)
          @scheduler.forget(decision.timer)
        end
        Native.answer(decision.id, decision.results, decision.macros)
      end

      def context(session, index)
        session.contexts[index] ||= ChildContext.new(self, session, index, @children[index].name)
      end

      # --- one child ---

      def result_for(decision, index)
        stoppers = @children[index].stoppers[decision.step]
        return decision.common_result if common?(decision, index, stoppers)

        context = context(decision.session, index)
        context.decision = decision
        result = decision.items ? content(decision, context, stoppers) : envelope(decision, context, stoppers)
        macros = context.take_macros
        decision.set_macros(index, macros) if macros
        result
      end

      # Whether what was decided for one child holds for all that are asked about.
      def all_alike?(decision)
        @plan.uniform?(decision.step) &&
          !(decision.common_reads_macros && decision.session.contexts.any? { |context| context&.own_macros? })
      end

      # Whether what was decided for another child holds for this one.
      def common?(decision, index, stoppers)
        decision.common.equal?(stoppers) &&
          !(decision.common_reads_macros && decision.session.contexts[index]&.own_macros?)
      end

      def envelope(decision, context, stoppers)
        worst = Decision::APPLY
        is_common = decision.children.length > 1
        reads_macros = false
        stoppers.each do |stopper|
          answer = shared(decision, context, stopper) if decision.children.length > 1
          result = answer ? answer.value : ask(decision, context, stopper, arguments_for(decision, stopper))
          is_common &&= answer&.shareable
          reads_macros ||= answer&.macros_read
          worst = result if result > worst || result == Decision::STOP
          break if result == Decision::STOP
        end
        context.hide_recipient if worst == Decision::STOP && decision.step == RECIPIENT_STEP
        decision.set_common(stoppers, worst, reads_macros) if is_common
        worst
      end

      def content(decision, context, stoppers)
        worst = Decision::APPLY
        decision.items.each_slice(2) do |command, payload|
          if command == HEADER
            name, value = payload.split("\0", -1)
            context.take_header(name, value)
            next unless decision.step == HEADER_STEP
          end
          arguments = case command
                      when HEADER then [name, value]
                      when BODY then [payload]
                      else []
                      end
          stoppers.each do |stopper|
            result = ask(decision, context, stopper, arguments)
            return result if result == Decision::STOP

            worst = result if result > worst
          end
        end
        worst
      end

      # The answer to be used for this child: one that was computed for another, if it holds, or
      # that this child is the first to ask for.  nil: it has to be asked by itself.
      def shared(decision, context, stopper, &block)
        answer = decision.shared[stopper]
        return compute(decision, context, stopper, &block) unless answer

        # What turned out to be that child's own is not waited for.
        wait_for(answer) if answer.promising?
        answer if answer.done && answer.shareable && !(answer.macros_read && context.own_macros?)
      end

      def compute(decision, context, stopper)
        answer = decision.shared[stopper] = Decision::Shared.new(context, context.depth, false)
        context.watch
        answer.value = block_given? ? yield : ask(decision, context, stopper, arguments_for(decision, stopper))
        answer.shareable = context.shareable?
        answer.macros_read = context.macros_read
        answer
      ensure
        answer.done = true
        answer.waiting&.each { |fiber| @scheduler.unblock(nil, fiber) }
      end

      def wait_for(answer)
        (answer.waiting ||= []) << Fiber.current
        @scheduler.block(answer)
      ensure
        answer.waiting.delete(Fiber.current)
      end

      # --- limits and ends ---

      def expire(decision)
        return if decision.done?

        decision.is_expired = true
        insist(decision)
        @scheduler.interrupt(decision, ConditionTimeout.new(format("no answer within %.1f s", decision.limit)))
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

      # Time to unwind, in which the watchdog's error would replace another; later, raise again
      # in what has not ended by then.
      def insist(decision)
        unwound_at = Process.clock_gettime(Process::CLOCK_MONOTONIC) + Watchdog::UNWIND_SECONDS
        decision.deadline = [decision.deadline, unwound_at].max
        decision.timer = @scheduler.after(INSIST_SECONDS) { expire(decision) }
      end

      def close(id)
        session = @sessions.delete(id)
        return if session.nil? || @decisions.empty?

        @decisions.values.each { |each| cancel(each.id) if each.session.equal?(session) }
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
