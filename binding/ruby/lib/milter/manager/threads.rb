# frozen_string_literal: true

module Milter
  # Run the block in a thread of a small pool; only the fiber that asks waits.  For what cannot
  # cooperate: drivers that wait by themselves.  Outside of a condition the block is just called.
  def self.in_thread(&block)
    return yield unless Fiber.current_scheduler

    Manager::Threads.run(&block)
  end

  module Manager
    # A bounded pool of threads, one a worker.
    module Threads
      MAX = 16

      @jobs = Thread::Queue.new
      @n_threads = 0
      @n_busy = 0

      class << self
        def run(&block)
          result = Thread::Queue.new
          @n_busy += 1
          start_thread if @n_threads < MAX && @n_busy > @n_threads
          @jobs << [block, result]
          good, value = result.pop
          raise value unless good

          value
        ensure
          @n_busy -= 1
        end

        private

        def start_thread
          @n_threads += 1
          thread = Thread.new { work }
          thread.report_on_exception = false
        end

        def work
          loop do
            block, result = @jobs.pop
            result << call(block)
          end
        end

        def call(block)
          [true, block.call]
        rescue Exception => error # rubocop:disable Lint/RescueException -- raised where it was asked
          [false, error]
        end
      end
    end
  end
end
