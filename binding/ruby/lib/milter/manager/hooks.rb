# frozen_string_literal: true

module Milter
  module Manager
    # Blocks of the configuration that run in each worker.
    class Hooks
      def initialize
        @blocks = []
      end

      def add_worker_started(origin, block)
        add("manager.worker_started", origin, block)
      end

      def add_event_loop_created(origin, block)
        add("manager.event_loop_created", origin, block)
        @blocks.last << EventLoop.new
      end

      # Each in a thread of its own, so that one that waits keeps nobody waiting.
      def run_in_worker(_number)
        @blocks.each do |what, origin, block, *arguments|
          thread = Thread.new { run(what, origin, block, arguments) }
          thread.report_on_exception = false
        end
      end

      private

      def add(what, origin, block)
        raise ConfigurationError, "#{what} needs a block" unless block

        @blocks << [what, origin, block]
      end

      def run(what, origin, block, arguments)
        block.call(*arguments)
      rescue Exception => error # rubocop:disable Lint/RescueException -- whatever users raise
        Milter::Logger.error("#{what} at #{origin} failed: #{Failure.describe(error)}")
      end
    end

    # The argument of event_loop_created's block.
    class EventLoop
      %i[add_timeout add_idle watch_io watch_child].each do |name|
        define_method(name) { |*, **, &_block| raise NotAvailable, "event loop's #{name}" }
      end
    end
  end
end
