# frozen_string_literal: true

module Milter
  module Manager
    # The argument of define_milter's block: the items of one child.
    class ChildSettings < ItemGroup
      items_of "milter"

      attr_reader :name

      # @param conditions [Hash] those defined so far, by name
      def initialize(name, conditions)
        super()
        @name = name
        @conditions = conditions
      end

      # Its names; << adds one.
      class Names < Array
        def initialize(settings, names)
          super(names)
          @settings = settings
          freeze
        end

        def <<(name)
          @settings.add_applicable_condition(name)
          @settings.applicable_conditions
        end

        def push(*names)
          names.each { |name| self << name }
          @settings.applicable_conditions
        end

        alias append push
        def concat(*lists) = push(*lists.flatten)
      end

      def applicable_conditions
        Names.new(self, Native.get("milter", name, "applicable_conditions"))
      end

      def applicable_conditions=(names)
        names = [names] if names.is_a?(String) || names.is_a?(Symbol)
        check_conditions(names) if names.is_a?(Array)
        Native.set("milter", name, "applicable_conditions", names, Source.here)
      end

      def add_applicable_condition(condition)
        check_condition(condition.to_s)
        self.applicable_conditions = applicable_conditions | [condition.to_s]
      end

      private

      def child_name
        @name
      end

      # What is no name is for the table to refuse.
      def check_conditions(names)
        names.each { |each| check_condition(each.to_s) if each.is_a?(String) || each.is_a?(Symbol) }
      end

      def check_condition(condition)
        return if @conditions.key?(condition)

        known = @conditions.empty? ? "none is defined" : "known are #{@conditions.keys.join(', ')}"
        raise ConfigurationError, "there is no applicable condition \"#{condition}\"; #{known}"
      end
    end
  end
end
