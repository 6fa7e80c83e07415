# frozen_string_literal: true

require "socket"

module Milter
  module Manager
    # While the configuration loads, nothing may be started that a worker would have to share
    # with its siblings: no connections, no threads, no processes that stay.
    module LoadGuard
      ADVICE = "while the configuration loads; do it in manager.worker_started { }"

      class << self
        # Whether the configuration is being loaded.
        def active?
          @is_active == true
        end

        # Call the block; what it must not start raises at the line that starts it.
        def watch(&block)
          loading = Thread.current
          @is_active = true
          trace = TracePoint.new(:c_call) do |point|
            refuse(point) if Thread.current == loading && !@is_lifted
          end
          trace.enable(&block)
        ensure
          @is_active = false
        end

        # Call the block, in which a library may start threads for itself; they end with it, as
        # in the workers they would not run.
        def lift
          before = Thread.list
          @is_lifted = true
          yield
        ensure
          @is_lifted = false
          (Thread.list - before).each(&:kill).each(&:join)
        end

        private

        def refuse(point)
          case point.method_id
          when :new, :start, :fork
            if Class === point.self && point.self <= Thread # some are no Object
              raise ConfigurationError, "threads cannot be started #{ADVICE}"
            end
            raise ConfigurationError, "processes cannot be forked #{ADVICE}" if forks?(point)
          when :initialize
            if BasicSocket === point.self
              raise ConfigurationError, "connections cannot be opened #{ADVICE}"
            end
          end
        end

        def forks?(point)
          point.method_id == :fork && [Kernel, Process, Process.singleton_class,
                                       Kernel.singleton_class].include?(point.defined_class)
        end
      end
    end
  end
end
