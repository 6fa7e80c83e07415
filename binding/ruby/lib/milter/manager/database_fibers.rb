# frozen_string_literal: true

module Milter
  module Manager
    # ActiveRecord in conditions: it ties a connection to a thread, and its drivers wait by
    # themselves; but all conditions of a worker are fibers of one thread.  So here a fiber has a
    # connection of its own until it ends, and what waits is called in a thread.
    module DatabaseFibers
      # An adapter whose driver waits in a thread.
      module Driver
        # Whether a statement was left while the server worked on it.
        def interrupted?
          @is_interrupted == true
        end

        private

        def in_driver(&block)
          is_over = false
          Milter.in_thread(&block).tap { is_over = true }
        rescue StandardError
          is_over = true
          raise
        ensure
          @is_interrupted = true unless is_over
        end
      end

      # ActiveRecord::ConnectionAdapters::ConnectionPool
      module Pool
        # That of the fiber, in a condition.
        def connection
          return super unless Fiber.current_scheduler

          DatabaseFibers.lease(self) { checkout }
        end

        def active_connection?
          Fiber.current_scheduler ? DatabaseFibers.leased(self) : super
        end

        def release_connection(*)
          Fiber.current_scheduler ? DatabaseFibers.release(self) : super
        end

        private

        def new_connection
          Milter.in_thread { super }
        end
      end

      # ActiveRecord::ConnectionAdapters::AbstractAdapter, where all statements pass
      module Adapter
        include Driver

        def verify!(*)
          Milter.in_thread { super }
        end

        private

        # The adapter's lock stays with the fiber; only the driver's part is in a thread.
        def log(*, **)
          super { |*values| in_driver { yield(*values) } }
        end
      end

      # Since ActiveRecord 7.2 a fiber leases its connection itself, for a statement or a
      # transaction; the adapter's lock is taken around the driver.
      module LeasedPool
        # One that was left in the middle of a statement is nobody's any more.
        def checkin(connection)
          return super unless connection.interrupted?

          remove(connection)
          connection.discard!
        end
      end

      # AbstractAdapter since 7.2
      module LockedAdapter
        include Driver

        private

        def with_raw_connection(*arguments, **options)
          return super unless Fiber.current_scheduler

          super { |driver| in_driver { yield driver } }
        end
      end

      # The adapter's class since 7.2
      module ClientMaker
        def new_client(*)
          Fiber.current_scheduler ? Milter.in_thread { super } : super
        end
      end

      class << self
        # @param library [Module] ActiveRecord
        # @param adapter [String] as it calls the one in use
        def install(library, adapter)
          return if @is_installed

          @is_installed = true
          adapters = library::ConnectionAdapters
          return install_leases(adapters, adapter) if adapters.respond_to?(:resolve)

          @leases = {}.compare_by_identity # by strand: connections by pool
          adapters::ConnectionPool.prepend(Pool)
          adapters::AbstractAdapter.prepend(Adapter)
        end

        # The connection of what runs now, given back when that ends.
        def lease(pool)
          mine = @leases[strand] ||= start
          mine[pool] ||= yield
        end

        def leased(pool)
          @leases.dig(strand, pool)
        end

        def release(pool)
          give_back(pool, @leases[strand]&.delete(pool))
        end

        private

        def install_leases(adapters, adapter)
          ActiveSupport::IsolatedExecutionState.isolation_level = :fiber
          adapters::ConnectionPool.prepend(LeasedPool)
          adapters::AbstractAdapter.prepend(LockedAdapter)
          adapters.resolve(adapter).singleton_class.prepend(ClientMaker)
        end

        def strand
          Fiber.current_scheduler.strand
        end

        def start
          mine = strand
          Fiber.current_scheduler.at_end { @leases.delete(mine)&.each { |pool, connection| give_back(pool, connection) } }
          {}.compare_by_identity
        end

        def give_back(pool, connection)
          return unless connection

          connection.interrupted? ? connection.throw_away! : pool.checkin(connection)
        rescue StandardError
          pool.remove(connection)
        end
      end
    end
  end
end
