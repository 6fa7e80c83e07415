# frozen_string_literal: true

module Milter
  module Manager
    # What a condition remembers about one child of one session from step to step.  It ends
    # with the session's context.
    module ConditionState
      NAME = :@condition_state

      module_function

      # The value of OWNER (any object) for this context; the block makes the first one.
      # Looking at the child's name tells the engine that the answer is this child's alone.
      def fetch(context, owner)
        context.name
        states = context.instance_variable_get(NAME)
        states ||= context.instance_variable_set(NAME, {}.compare_by_identity)
        states.fetch(owner) { states[owner] = yield }
      end

      # Set it.
      def store(context, owner, value)
        fetch(context, owner) { value }
        context.instance_variable_get(NAME)[owner] = value
      end
    end
  end
end
