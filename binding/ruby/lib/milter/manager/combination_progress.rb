# frozen_string_literal: true

module Milter
  module Manager
    # What the leaves of a Combination have come to for one child: in the session, in the
    # message, and for each recipient, which is a *view* of the message.
    class CombinationProgress
      OF_SESSION = %w[connect helo].freeze
      RECIPIENT = "envelope_recipient"

      # Leaves that stopped the child, and those whose answer is missing because a block raised.
      Scope = Struct.new(:stopped, :unknown) do
        def self.empty = new([], [])
      end

      # @param last [Hash] by leaf: the step at which it has had its last word, nil where it has none
      def initialize(last)
        @last = last
        @session = Scope.empty
        begin_message
      end

      # Yields the views that STEP decides about.
      # @return [true, false, nil] false: the combination holds for none of them
      def ask(step, context, arguments, &block)
        enter(step, arguments.first)
        @context = context
        @arguments = arguments
        values = views.map(&block)
        return nil if values.include?(nil)

        values.include?(true)
      rescue Exception # rubocop:disable Lint/RescueException -- also when time is up
        scope.unknown.concat(@last.keys.select { |leaf| asks?(leaf) } - @asked)
        raise
      end

      # Ask LEAF at this step, once.
      def ask_leaf(leaf, view)
        return if @asked.include?(leaf) || !value(leaf, view).nil?

        stops = stoppers_of(leaf).any? { |stopper| @context.answer_of(stopper, @arguments) }
        scope.stopped << leaf if stops
        @asked << leaf
      end

      # Whether LEAF holds for VIEW; nil: it is open.
      def value(leaf, view)
        scopes = [@session, @message, view]
        return false if scopes.any? { |each| each.stopped.include?(leaf) }
        return nil if scopes.any? { |each| each.unknown.include?(leaf) }

        over?(leaf) ? true : nil
      end

      private

      def enter(step, recipient)
        @step = step
        @asked = []
        begin_message if OF_SESSION.include?(step) || step == "envelope_from"
        return unless step == RECIPIENT

        @recipients[recipient] = @recipient = Scope.empty
        @views = nil
      end

      def begin_message
        @message = Scope.empty
        @recipients = {}
        @views = nil
      end

      # Where what is said at this step counts.
      def scope
        return @session if OF_SESSION.include?(@step)

        @step == RECIPIENT ? @recipient : @message
      end

      # Recipients about whom the same was said are one.
      def views
        return [@recipient] if @step == RECIPIENT

        @views ||= begin
          shown = @recipients.empty? ? [] : @context.shown_recipients & @recipients.keys
          shown.empty? ? [Scope.empty] : @recipients.values_at(*shown).uniq
        end
      end

      def stoppers_of(leaf)
        leaf.stoppers.fetch(@step, [])
      end

      def asks?(leaf)
        !stoppers_of(leaf).empty?
      end

      # Whether LEAF will not be asked again.
      def over?(leaf)
        last = @last[leaf]
        return true if last.nil?

        past = Combination::ORDER.index(@step) <=> Combination::ORDER.index(last)
        past.positive? || (past.zero? && @asked.include?(leaf))
      end
    end
  end
end
