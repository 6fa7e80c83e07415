# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # A few connections to a server, each for one look-up at a time, opened when needed.
      #
      # A look-up runs in the fiber that asks, or, with a driver that does not cooperate, in a
      # thread, which gives its connection back by itself: it may end later than who asked.  It is
      # not interrupted: the driver has a time limit of its own, and Ruby's signals, which come
      # again and again, make libmariadb begin anew with it.
      class Pool
        COLLECT_INTERVAL = 1.0 # s
        RETRY_WITHIN = 1.0     # s in which one knows that a connection was closed long ago

        # The right to one connection: given back once, by who has claimed it.
        class Permit
          def initialize(pool)
            @pool = pool
            @mutex = Thread::Mutex.new
            @is_claimed = false
          end

          # Whether nobody had claimed it.
          def claim
            @mutex.synchronize { @is_claimed ? false : (@is_claimed = true) }
          end

          # Whoever asked has gone: give it back unless somebody works with it.
          def abandon
            @pool.release if claim
          end
        end

        # @param driver [#connect, #disconnect, #threaded?] makes and ends connections
        def initialize(driver)
          @driver = driver
          @mutex = Thread::Mutex.new
          @freed = Thread::ConditionVariable.new
          @idle = []
          @n_used = 0
          @collected_at = 0
        end

        # Call the block with a connection.
        # @param size [Integer] connections at most
        # @param limit [Numeric] seconds to wait for one
        def use(size, limit, &block)
          permit = acquire(size, limit)
          return run(permit, &block) unless @driver.threaded?

          Milter.in_thread(recall: false) { run(permit, &block) }
        ensure
          permit&.abandon
        end

        # Give a permit back.
        def release
          @mutex.synchronize do
            @n_used -= 1
            @freed.signal
          end
        end

        private

        def acquire(size, limit)
          end_at = now + limit
          @mutex.synchronize do
            wait(size, end_at) while @n_used >= size
            @n_used += 1
          end
          Permit.new(self)
        end

        def wait(size, end_at)
          left = end_at - now
          raise Error, "none of #{size} connections became free" if left <= 0

          is_free = false
          @freed.wait(@mutex, left)
          is_free = true
        ensure
          @freed.signal if is_free == false # somebody else's turn: the session that waited here has ended
        end

        def run(permit, &block)
          return unless permit.claim

          begin
            work(&block)
          ensure
            release
          end
        end

        # A connection that was left lying may have been closed by the server: then a new one.
        def work(&block)
          connection = @mutex.synchronize { @idle.pop }
          return try(open, &block) unless connection

          started = now
          begin
            try(connection, &block)
          rescue StandardError
            raise if now - started > RETRY_WITHIN

            drop_idle
            try(open, &block)
          end
        end

        def open
          connection = @driver.connect
        ensure
          collect unless connection
        end

        # What drivers had when they could not connect, or were interrupted, they leave to the
        # garbage collector; of sockets it does not know that they are scarce.
        def collect
          return if now - @collected_at < COLLECT_INTERVAL

          @collected_at = now
          GC.start
        end

        # Only what answered is used again.
        def try(connection)
          result = yield connection
          is_good = true
          result
        ensure
          if is_good
            @mutex.synchronize { @idle << connection }
          else
            end_connection(connection)
            collect
          end
        end

        def drop_idle
          idle = @mutex.synchronize { @idle.slice!(0..) }
          idle.each { |connection| end_connection(connection) }
        end

        def end_connection(connection)
          @driver.disconnect(connection)
        rescue StandardError
          nil # it was broken anyway
        end

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end
      end
    end
  end
end
