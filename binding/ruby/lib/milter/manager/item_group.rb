# frozen_string_literal: true

module Milter
  module Manager
    # An object of the configuration language with the items of one scope of the settings
    # table: `manager.n_workers = 2`.  The table checks values; this class only makes the
    # accessors, and helps with misspelt names.
    class ItemGroup
      # An item that was set, and where.
      Assignment = Struct.new(:scope, :item, :origin)

      class << self
        # Define the accessors of SCOPE ("manager", …) in a subclass.
        def items_of(scope)
          @scope = scope
          Native.items(scope).each do |name|
            define_method(name) { Native.get(scope, child_name, name) }
            define_method("#{name}=") { |value| assign(name, value) }
          end
        end

        attr_reader :scope
      end

      # For --show-config: every Assignment.
      def assignments
        @assignments ||= []
      end

      def inspect
        self.class.scope
      end

      private

      def assign(item, value)
        origin = Source.here
        Native.set(self.class.scope, child_name, item, value, origin)
        assignments << Assignment.new(self.class.scope, item, origin)
      end

      # The child whose items these are; nil: those of the manager.
      def child_name
        nil
      end

      def respond_to_missing?(_name, _include_private = false)
        false
      end

      def method_missing(name, *)
        scope = self.class.scope
        wanted = name.to_s.delete_suffix("=")
        raise ConfigurationError, "#{scope}.#{wanted} cannot be set" if respond_to?(wanted)

        nearest = Native.nearest(scope, wanted)
        raise ConfigurationError, "#{scope} has no item \"#{wanted}\"; the nearest is #{nearest}"
      end
    end
  end
end
