# frozen_string_literal: true

module Milter
  module Manager
    # Blocks of the configuration that run in each worker.
    class Hooks
      # A block, the word that took it, and where.
      Hook = Struct.new(:what, :origin, :block, :fallback) do
        # Errors are logged: nobody could do anything about them.  FALLBACK after one.
        def call(*arguments)
          block.call(*arguments)
        rescue Exception => error # rubocop:disable Lint/RescueException -- whatever users raise
          reason = error.is_a?(ConditionTimeout) ? error.message : Failure.describe(error)
          Milter::Logger.error("#{what} at #{origin} failed: #{reason}")
          fallback
        end
      end

      attr_reader :maintained, :connection_checkers
      attr_accessor :reports_memory

      def initialize
        @worker_started = []
        @event_loop_created = []
        @maintained = []
        @connection_checkers = {}
        @reports_memory = false
      end

      def add_worker_started(origin, block)
        @worker_started << hook("manager.worker_started", origin, block)
      end

      def add_event_loop_created(origin, block)
        @event_loop_created << hook("manager.event_loop_created", origin, block)
      end

      def add_maintained(origin, block)
        @maintained << hook("manager.maintained", origin, block)
      end

      # A client whose checker fails is taken to be there.
      def define_connection_checker(name, origin, block)
        checker = hook("connection checker #{name.to_s.dump}", origin, block)
        checker.fallback = true
        @connection_checkers[name.to_s] = checker
      end

      # Everything is set: tell of what will never run.
      def settle(manager)
        return unless manager.connection_check_interval.zero?

        @connection_checkers.each_value do |checker|
          Native.note("#{checker.origin}: #{checker.what} is never asked: manager.connection_check_interval is 0")
        end
      end

      # Each in a thread of its own, so that one that waits keeps nobody waiting; the threads.
      def start_worker
        @worker_started.map do |hook|
          thread = Thread.new { hook.call }
          thread.report_on_exception = false
          thread
        end
      end

      # In fibers of the worker's Ruby thread, whose loop it is.
      def create_event_loop(loop)
        @event_loop_created.each { |hook| loop.run(hook, loop) }
      end

      private

      def hook(what, origin, block)
        raise ConfigurationError, "#{what} needs a block" unless block

        Hook.new(what, origin, block)
      end
    end
  end
end
