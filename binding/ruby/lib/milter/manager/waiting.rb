# frozen_string_literal: true

require "timeout"

module Milter
  module Manager
    # Waits of Ruby that know nothing of schedulers (on 3.1), made to ask ours.  Outside of a
    # condition's fiber nothing changes.
    module Waiting
      module_function

      # Whether the current fiber may be suspended.
      def scheduler
        Fiber.current_scheduler
      end

      def select(scheduler, readers, writers, errors, timeout)
        entries = [[readers, IO::READABLE], [writers, IO::WRITABLE], [errors, IO::PRIORITY]]
                  .flat_map { |ios, events| (ios || []).map { |io| [io, events] } }
        descriptors = entries.map { |io, events| [io.to_io.fileno, events] }
        found = scheduler.wait_any(descriptors, timeout)
        return nil unless found

        # What else is ready by now, without waiting.
        Thread.new { IO.select_in_kernel(readers, writers, errors, 0) }.value ||
          single(entries[found.first])
      end

      def single(entry)
        [IO::READABLE, IO::WRITABLE, IO::PRIORITY].map { |events| entry.last == events ? [entry.first] : [] }
      end

      # IO.select and Kernel#select
      module Select
        def select(readers, writers = nil, errors = nil, timeout = nil)
          scheduler = Waiting.scheduler
          return super unless scheduler
          # What is ready needs no waiting; bytes in Ruby's own buffers count, too.
          now = super(readers, writers, errors, 0)
          return now if now || timeout == 0

          Waiting.select(scheduler, readers, writers, errors, timeout)
        end
      end

      # Enumerator#next runs its block in a fiber that cannot be suspended; this one can.
      module External
        def next
          return super unless Waiting.scheduler || @external

          value = peek
          @ahead = nil
          value
        end

        def peek
          return super unless Waiting.scheduler || @external

          @ahead ||= advance
          raise StopIteration, "iteration reached an end" if @ahead.empty?

          @ahead.first
        end

        def rewind
          @external = @ahead = nil
          super
        end

        private

        def advance
          @external ||= Fiber.new(blocking: false) do
            each { |*values| Fiber.yield([values.length > 1 ? values : values.first]) }
            []
          end
          @external.alive? ? @external.resume : []
        end
      end

      # Thread#join with a limit: Ruby 3.1 begins anew when the limit is over.
      module Join
        # The limit.
        class Over < Exception; end # rubocop:disable Lint/InheritException -- nobody sees it

        def join(limit = nil)
          scheduler = Waiting.scheduler
          return super unless scheduler && limit && alive?
          return nil unless limit.positive?

          begin
            scheduler.timeout_after(limit, Over) { super() }
          rescue Over
            nil
          end
        end
      end

      # Mutex#sleep, and with it every ConditionVariable: when what waits is interrupted, Ruby 3.1
      # leaves the lock open, and whoever unlocks it then hides what happened.
      module Lock
        def sleep(timeout = nil)
          return super unless Waiting.scheduler

          begin
            super
          ensure
            Waiting.lock(self) unless owned?
          end
        end
      end

      # Lock MUTEX whatever comes; what came is raised when it is locked.
      def lock(mutex)
        interruption = nil
        begin
          mutex.lock
        rescue ThreadError # it can never be ours
          raise
        rescue Exception => error # rubocop:disable Lint/RescueException -- kept
          interruption = error
          retry
        end
        raise interruption if interruption
      end

      # Process.fork, and what is made of it: the copy has the loop's descriptors in common with
      # the worker, and must not run it.
      module Fork
        def _fork
          pid = super
          Fiber.set_scheduler(nil) if pid.zero? && Fiber.current_scheduler
          pid
        end
      end

      # Once, in the worker.
      def install
        class << IO
          alias_method :select_in_kernel, :select
          prepend Select
        end
        Kernel.prepend(Select)
        Enumerator.prepend(External)
        Thread.prepend(Join)
        Mutex.prepend(Lock)
        Process.singleton_class.prepend(Fork)
        WaitingFiles.install
        WaitingSQLite.install
      end
    end
  end
end
