# frozen_string_literal: true

module Milter
  module Manager
    # Which blocks are asked for which child at which step: made when the configuration has
    # been loaded, the same in all workers.
    class Plan
      # The daemon's numbers of steps, and the blocks that are asked there.
      STEPS = [%w[connect], %w[helo], %w[envelope_from], %w[envelope_recipient], %w[data envelope],
               %w[header], %w[end_of_header], %w[body], %w[end_of_message]].freeze
      FALLBACKS = { apply: 0, stop: 1, temporary_failure: 2 }.freeze
      N_STEPS = 10

      # An enabled child: its stoppers by step.
      Child = Struct.new(:name, :stoppers)

      # One block of one condition.
      Stopper = Struct.new(:condition, :kind, :block, :origin) do
        def fallback
          FALLBACKS.fetch(condition.fallback)
        end
      end

      attr_reader :children

      # @param names [Array<String>] the children, in order
      # @param conditions [Hash] Condition by name
      def initialize(names, conditions)
        @conditions = conditions
        @made = {}
        @lists = {}
        @children = names.filter_map do |name|
          next unless Native.get("milter", name, "enabled")

          make_child(name)
        end
      end

      def empty?
        @children.all? { |child| child.stoppers.all?(&:empty?) }
      end

      private

      def make_child(name)
        conditions = Native.get("milter", name, "applicable_conditions").map do |condition|
          @conditions.fetch(condition)
        end
        stoppers = STEPS.map { |kinds| list(conditions.flat_map { |each| stoppers_of(each, kinds) }) }
        steps = stoppers.each_index.sum { |step| stoppers[step].empty? ? 0 : 1 << step }
        fallbacks = Array.new(N_STEPS) { |step| (stoppers[step] || []).map(&:fallback).max || 0 }
        Native.set_stoppers(name, steps, fallbacks)
        Child.new(name, stoppers)
      end

      # The same object for the same stoppers: what children have in common is seen at a glance.
      def list(stoppers)
        @lists[stoppers.map(&:object_id)] ||= stoppers.freeze
      end

      # One object a block, however many children have it: answers are shared by it.
      def stoppers_of(condition, kinds)
        kinds.flat_map do |kind|
          @made[[condition.name, kind]] ||= condition.stoppers.fetch(kind, []).map do |stopper|
            Stopper.new(condition, kind, stopper.block, stopper.origin)
          end
        end
      end
    end
  end
end
