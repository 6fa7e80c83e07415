# frozen_string_literal: true

module Milter
  module Manager
    # One block of one condition: its arguments, its answer, and what its failing means.  A part
    # of Decider.
    module Asking
      # What a block says that a combination asks: once for all children of a question, if it looked
      # only at facts of the session.
      def answer_of(decision, context, stopper, arguments)
        return stopper.block.call(context, *arguments) if decision.items || decision.children.length == 1

        context.in_combination do
          answer = shared(decision, context, stopper) { stopper.block.call(context, *arguments) }
          answer ? answer.value : stopper.block.call(context, *arguments)
        end
      end

      private

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

      # What it says for one child: Decision::APPLY …
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
    end
  end
end
