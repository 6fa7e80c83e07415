# frozen_string_literal: true

module Milter
  module Manager
    # SQLite waits for a lock with Ruby's lock in its hands: nothing of Ruby would go on.  Here
    # its time limit is one of Ruby's own, which sleeps between attempts.
    module WaitingSQLite
      NAP = 0.01 # s

      module_function

      # Whether to try again: not at END_AT, and not when something was raised into the sleep;
      # nothing may be raised through SQLite's own functions.
      def nap?(end_at)
        return false if Process.clock_gettime(Process::CLOCK_MONOTONIC) >= end_at

        sleep NAP
        true
      rescue Exception # rubocop:disable Lint/RescueException -- SQLite raises "busy" in its place
        false
      end

      # SQLite3::Database#busy_timeout=
      module Database
        def busy_timeout=(milliseconds)
          end_at = nil
          busy_handler do |count|
            end_at = Process.clock_gettime(Process::CLOCK_MONOTONIC) + (milliseconds / 1000.0) if count.zero?
            WaitingSQLite.nap?(end_at)
          end
        end

        def busy_timeout(milliseconds)
          self.busy_timeout = milliseconds
        end
      end

      # The library may be required later than this.
      module Require
        def require(name)
          required = super
          WaitingSQLite.mend if required
          required
        end
      end

      def mend
        return unless defined?(SQLite3::Database) && SQLite3::Database.method_defined?(:busy_timeout=)

        SQLite3::Database.prepend(Database)
      end

      def install
        mend
        Kernel.prepend(Require)
      end
    end
  end
end
