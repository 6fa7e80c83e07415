# frozen_string_literal: true

module Milter
  module Manager
    # Conditions combined by name, in any depth.  Those at the bottom, *leaves*, are asked; what
    # they come to is looked at for one recipient at a time.  A leaf does not hold for a
    # recipient when a block of it stopped the child for the session, the message or this
    # recipient; it holds when none did and it will not be asked again: after its last step, or,
    # where that comes several times (a header, a piece of the body), at the next that comes
    # once.  Until then it is open, and so is a combination that depends on it.
    #
    # The child is stopped when the combination holds for none of the recipients it was shown.
    class Combination
      ORDER = %w[connect helo envelope_from envelope_recipient data envelope header end_of_header
                 body end_of_message].freeze
      DECIDED_AT = { "header" => "end_of_header", "body" => "end_of_message" }.freeze

      # @param members [Array<Condition>]
      def initialize(members)
        @members = members
        @last = leaves.to_h { |leaf| [leaf, decided_at(leaf)] }.compare_by_identity
      end

      # Give CONDITION the blocks that this combination needs.
      def define_stoppers(condition)
        condition.combination = self
        condition.fallback = leaves.map(&:fallback).max_by { |each| Condition::FALLBACKS.index(each) }
        steps.each do |step|
          condition.public_send("define_#{step}_stopper") do |context, *arguments|
            progress = ConditionState.fetch(context, self) { CombinationProgress.new(@last) }
            progress.ask(step, context, arguments) { |view| settle(progress, view) } == false
          end
        end
      end

      # Those that are asked, of members that are combinations, too.
      def leaves
        @members.flat_map { |member| member.combination ? member.combination.leaves : [member] }.uniq
      end

      # Ask what is needed to know whether it holds for VIEW.
      # @return [true, false, nil] nil: open
      def settle(progress, view)
        @members.each do |member|
          break unless value(progress, view).nil? # the others need not be asked

          member.combination ? member.combination.settle(progress, view) : progress.ask_leaf(member, view)
        end
        value(progress, view)
      end

      # What is known without asking.
      def value(progress, view)
        decide(@members.map do |member|
          member.combination ? member.combination.value(progress, view) : progress.value(member, view)
        end)
      end

      private

      def steps
        wanted = leaves.flat_map { |leaf| steps_of(leaf) } + @last.values.compact
        wanted << "envelope_from" unless (wanted - CombinationProgress::OF_SESSION).empty?
        ORDER & wanted
      end

      def steps_of(leaf)
        leaf.stoppers.reject { |_, all| all.empty? }.keys.map(&:to_s)
      end

      # nil: it never stops.
      def decided_at(leaf)
        last = steps_of(leaf).max_by { |step| ORDER.index(step) }
        last && DECIDED_AT.fetch(last, last)
      end
    end

    # The child takes part if every member holds.
    class AllOf < Combination
      private

      def decide(values)
        return false if values.include?(false)

        values.include?(nil) ? nil : true
      end
    end

    # The child takes part if a member holds.
    class AnyOf < Combination
      private

      def decide(values)
        return true if values.include?(true)

        values.include?(nil) ? nil : false
      end
    end

    # The child takes part if no member holds.
    class NoneOf < Combination
      private

      def decide(values)
        return false if values.include?(true)

        values.include?(nil) ? nil : true
      end
    end
  end
end
