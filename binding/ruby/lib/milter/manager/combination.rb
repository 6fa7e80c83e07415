# frozen_string_literal: true

module Milter
  module Manager
    # Conditions combined by name.  A member *holds* for a child as long as none of its blocks
    # stopped it.  What needs a member to have stopped can be decided only when that member
    # will not be asked again: at its last step, or, where that step comes several times (a
    # header, a piece of the body), at the next one that comes once.  What a member says of a
    # recipient holds for that recipient and is forgotten at the next.
    class Combination
      ORDER = %w[connect helo envelope_from envelope_recipient data envelope header end_of_header
                 body end_of_message].freeze
      OF_SESSION = %w[connect helo].freeze
      DECIDED_AT = { "header" => "end_of_header", "body" => "end_of_message" }.freeze
      RECIPIENT = "envelope_recipient"

      # What each member has come to for one child.
      Progress = Struct.new(:stopped_in_session, :stopped_in_message)

      # @param members [Array<Condition>]
      def initialize(members)
        @members = members
        @last = members.to_h { |member| [member, decided_at(member)] }.compare_by_identity
      end

      # Give CONDITION the blocks that this combination needs.
      def define_stoppers(condition)
        steps.each do |step|
          condition.public_send("define_#{step}_stopper") do |context, *arguments|
            ask(step, context, arguments)
          end
        end
      end

      private

      def steps
        wanted = @members.flat_map { |member| steps_of(member) } + @last.values.compact
        wanted << "envelope_from" unless (wanted - OF_SESSION).empty?
        ORDER & wanted
      end

      def steps_of(member)
        member.stoppers.reject { |_, all| all.empty? }.keys.map(&:to_s)
      end

      # nil: it never stops.
      def decided_at(member)
        last = steps_of(member).max_by { |step| ORDER.index(step) }
        last && DECIDED_AT.fetch(last, last)
      end

      def ask(step, context, arguments)
        progress = ConditionState.fetch(context, self) { Progress.new([], []) }
        progress.stopped_in_message = [] if step == "envelope_from"
        before = progress.stopped_in_message.dup if step == RECIPIENT
        stopped = OF_SESSION.include?(step) ? progress.stopped_in_session : progress.stopped_in_message
        @members.each do |member|
          next if stopped?(progress, member)

          stopped << member if member_stops?(member, step, context, arguments)
          break if settled?(step, progress, member) # the others need not be asked
        end
        stop?(step, progress)
      ensure
        progress.stopped_in_message = before if before
      end

      def member_stops?(member, step, context, arguments)
        member.stoppers.fetch(step) { return false }
              .any? { |stopper| stopper.block.call(context, *arguments) }
      end

      def stopped?(progress, member)
        (progress.stopped_in_session + progress.stopped_in_message).any? { |each| each.equal?(member) }
      end

      # Whether MEMBER holds and will not be asked again.
      def certain?(step, progress, member)
        last = @last[member]
        return false if stopped?(progress, member)
        return step == last if last == RECIPIENT

        last.nil? || ORDER.index(step) >= ORDER.index(last)
      end
    end

    # The child takes part if every member holds.
    class AllOf < Combination
      private

      def settled?(_step, progress, member)
        stopped?(progress, member)
      end

      def stop?(_step, progress)
        @members.any? { |member| stopped?(progress, member) }
      end
    end

    # The child takes part if a member holds.
    class AnyOf < Combination
      private

      def settled?(step, progress, member)
        certain?(step, progress, member)
      end

      def stop?(_step, progress)
        @members.all? { |member| stopped?(progress, member) }
      end
    end

    # The child takes part if no member holds.
    class NoneOf < Combination
      private

      def settled?(step, progress, member)
        certain?(step, progress, member)
      end

      def stop?(step, progress)
        @members.any? { |member| certain?(step, progress, member) }
      end
    end
  end
end
