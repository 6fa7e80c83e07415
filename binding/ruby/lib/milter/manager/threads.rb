# frozen_string_literal: true

module Milter
  # Run the block in a thread of a small pool; only the fiber that asks waits.  For what cannot
  # cooperate: drivers that wait by themselves.  Outside of a condition the block is just called.
  # @param recall [Boolean] whether the block is interrupted when nobody waits for it any more
  def self.in_thread(recall: true, &block)
    return yield unless Fiber.current_scheduler

    Manager::Threads.run(recall, &block)
  end

  module Manager
    # A bounded pool of threads, one a worker.
    module Threads
      MAX = 16
      MAX_LOST = 48 # more, for those that nobody waits for and that do not end

      # Raised in a thread whose result nobody waits for any more.
      class Abandoned < Exception # rubocop:disable Lint/InheritException -- not to be rescued by chance
        attr_reader :job

        def initialize(job)
          @job = job
          super("nobody waits for it any more")
        end
      end

      # One block, and whoever waits for what it gives.
      class Job
        def initialize(block, recall)
          @block = block
          @recall = recall
          @result = Thread::Queue.new
        end

        # In the fiber that asks.
        def value
          good, value = @result.pop
          @is_over = true
          raise value unless good

          value
        ensure
          abandon unless @is_over
        end

        # In a thread of the pool, which holds Abandoned back elsewhere.
        def run
          @thread = Thread.current # first, so that #abandon finds it, or is found
          @result << call unless @is_over
        ensure
          @thread = nil
          Threads.found if @is_lost
        end

        private

        def abandon
          @is_over = true
          return unless @thread

          @is_lost = true
          Threads.lost
          @thread.raise(Abandoned.new(self)) if @recall
        end

        def call
          [true, Thread.handle_interrupt(Abandoned => :immediate) { @block.call }]
        rescue Abandoned => error
          retry unless error.job.equal?(self) # late for the one before: nothing was called yet
          [false, error]
        rescue Exception => error # rubocop:disable Lint/RescueException -- raised where it was asked
          [false, error]
        end
      end

      @jobs = Thread::Queue.new
      @n_threads = 0
      @n_lost = 0

      class << self
        def run(recall, &block)
          job = Job.new(block, recall)
          start_thread if @jobs.size >= @jobs.num_waiting && @n_threads < limit
          @jobs << job
          job.value
        end

        def lost
          @n_lost += 1
        end

        def found
          @n_lost -= 1
        end

        private

        def limit
          MAX + [@n_lost, MAX_LOST].min
        end

        def start_thread
          @n_threads += 1
          thread = Thread.new { work }
          thread.report_on_exception = false
        end

        def work
          Thread.handle_interrupt(Abandoned => :never) do
            @jobs.pop.run until @n_threads > limit
          end
        ensure
          @n_threads -= 1
        end
      end
    end
  end
end
