# frozen_string_literal: true

module Milter
  module Manager
    # Runs in a worker's Ruby thread: takes questions, runs the stoppers in fibers, answers.
    class Decider
      HEADER_STEP = 5
      END_SECONDS = 1.0    # for what is left to unwind when the worker ends
      INSIST_SECONDS = 5.0 # between time limits for what does not end at the first
      BODY = "B".ord
      HEADER = "L".ord

      attr_reader :n_workers

      # @param hooks [Hooks, nil] what else runs in this thread, computing for LIMIT seconds at most
      def initialize(plan, n_workers, hooks = nil, limit = 10)
        @children = plan.children
        @n_workers = n_workers
        @hooks = hooks
        @limit = limit
        @sessions = {}
        @decisions = {}
        @pid = Process.pid
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
        decision.items = items && parse(items)
        @decisions[id] = decision
        @watchdog.start
        work_on(decision)
      end

      # Items of content: [[command, payload], …]
      def parse(packets)
        items = []
        at = 0
        while at < packets.bytesize
          size = packets.unpack1("N", offset: at)
          items << [packets.getbyte(at + 4), packets.byteslice(at + 5, size - 1).freeze]
          at += 4 + size
        end
        items
      end

      # One fiber works on child after child; when it waits, another takes the rest.
      def work_on(decision)
        @scheduler.start(decision) { work(decision) } while decision.pending?
        return if decision.done?

        decision.timer = @scheduler.after(decision.limit) { expire(decision) }
      rescue FiberError, NoMemoryError => error
        log(decision, error)
        decision.is_expired = true
        work(decision)
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
        end
        answer(decision) if decision.done?
      end

      def fallback_of(decision, position)
        @children[decision.children[position]].stoppers[decision.step].map(&:fallback).max
      end

      def answer(decision)
        return unless @decisions.delete(decision.id)

        @scheduler.forget(decision.timer) if decision.timer
        Native.answer(decision.id, decision.results, decision.macros)
      end

      def context(session, index)
        session.contexts[index] ||= ChildContext.new(self, session, index, @children[index].name)
      end

      # --- one child ---

      def result_for(decision, index)
        context = context(decision.session, index)
        context.step = decision.step
        stoppers = @children[index].stoppers[decision.step]
        result = decision.items ? content(decision, context, stoppers) : envelope(decision, context, stoppers)
        macros = context.take_macros
        decision.set_macros(index, macros) if macros
        result
      end

      def envelope(decision, context, stoppers)
        worst = Decision::APPLY
        stoppers.each do |stopper|
          result = shared(decision, context, stopper)
          return result if result == Decision::STOP

          worst = result if result > worst
        end
        worst
      end

      def content(decision, context, stoppers)
        worst = Decision::APPLY
        decision.items.each do |command, payload|
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

      # An answer that was computed for another child, if it holds for this one.
      def shared(decision, context, stopper)
        answer = decision.shared[stopper]
        # What turned out to be that child's own is not waited for.
        answer = wait_for(answer) if answer && !answer.done && answer.context.shareable?
        return answer.value if answer&.done && answer.shareable && !(answer.macros_read && context.own_macros?)
        return ask(decision, context, stopper, arguments_for(decision, stopper)) if answer

        answer = decision.shared[stopper] = Decision::Shared.new(context, false)
        compute(decision, context, stopper, answer)
      end

      def compute(decision, context, stopper, answer)
        context.watch
        answer.value = ask(decision, context, stopper, arguments_for(decision, stopper))
        answer.shareable = context.shareable?
        answer.macros_read = context.macros_read
        answer.value
      ensure
        answer.done = true
        answer.waiting&.each { |fiber| @scheduler.unblock(nil, fiber) }
      end

      def wait_for(answer)
        (answer.waiting ||= []) << Fiber.current
        @scheduler.block(answer)
        answer
      end

      def arguments_for(decision, stopper)
        session = decision.session
        case stopper.kind
        when "connect" then [session.host, session.address]
        when "helo" then [session.helo]
        when "envelope_from" then [session.sender]
        when "envelope_recipient" then [session.recipient]
        when "envelope" then [session.sender, session.recipients.dup]
        else []
        end
      end

      # --- one block ---

      def ask(decision, context, stopper, arguments)
        return stopper.fallback if decision.is_expired

        @scheduler.exposed = true
        result = stopper.block.call(context, *arguments)
        @scheduler.exposed = false # before this, the watchdog's error is rescued here
        Process.exit!(0) if Process.pid != @pid # a fork that came back
        result ? Decision::STOP : Decision::APPLY
      rescue SessionClosed
        @scheduler.exposed = false
        Process.exit!(0) if Process.pid != @pid
        raise
      rescue Exception => error # rubocop:disable Lint/RescueException -- whatever users raise
        @scheduler.exposed = false
        Process.exit!(1) if Process.pid != @pid
        fail_with(decision, stopper, error)
      end

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

      def log(decision, error)
        Logger.error("session=#{decision.session.id} conditions=failed reason=#{Failure.describe(error).dump}")
      end

      # --- limits and ends ---

      def expire(decision)
        return if decision.done?

        decision.is_expired = true
        decision.deadline += Watchdog::UNWIND_SECONDS # else its error would replace this one
        decision.timer = @scheduler.after(INSIST_SECONDS) { expire(decision) }
        @scheduler.interrupt(decision, ConditionTimeout.new(format("no answer within %.1f s", decision.limit)))
      end

      def cancel(id)
        decision = @decisions[id] or return
        decision.is_closed = true
        @scheduler.interrupt(decision, SessionClosed.new("the session goes on without an answer"))
      end

      def close(id)
        session = @sessions.delete(id) or return
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
