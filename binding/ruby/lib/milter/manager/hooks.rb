# frozen_string_literal: true

module Milter
  module Manager
    # Blocks of the configuration that run in each worker.
    class Hooks
      # A block, the word that took it, and where.
      Hook = Struct.new(:what, :origin, :block) do
        # Errors are logged: nobody could do anything about them.  False after one.
        def call(*arguments)
          block.call(*arguments)
        rescue Exception => error # rubocop:disable Lint/RescueException -- whatever users raise
          reason = error.is_a?(ConditionTimeout) ? error.message : Failure.describe(error)
          Milter::Logger.error("#{what} at #{origin} failed: #{reason}")
          false
        end
      end

      attr_reader :maintained
      attr_accessor :reports_memory

      def initialize
        @worker_started = []
        @event_loop_created = []
        @maintained = []
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
