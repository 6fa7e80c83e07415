# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # Answers by key, each for a time, also that there is none; the oldest go when there are too
      # many.  Who asks for what is being looked up waits for that answer.
      class Cache
        MAX_ENTRIES = 10_000

        # A look-up under way.
        class Flight
          attr_accessor :outcome, :is_done
          attr_reader :landed

          def initialize
            @landed = Thread::ConditionVariable.new
            @is_done = false
          end
        end

        def initialize(size = MAX_ENTRIES, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
          @size = size
          @clock = clock
          @mutex = Thread::Mutex.new
          @entries = {}
          @flights = {}
        end

        # The answer for KEY: kept, or what the block gives.  An Error is raised to all who
        # wait, and not kept.
        # @param lifetime [Numeric] seconds
        def fetch(key, lifetime, &look_up)
          loop do
            found, value = join(key)
            case found
            when :value then return value
            when :error then raise Error, value
            when :flight then return lead(key, value, lifetime, &look_up)
            end # else who looked it up has gone: once more
          end
        end

        def clear
          @mutex.synchronize { @entries.clear }
        end

        def size
          @entries.size
        end

        private

        # [:value, answer], [:error, text], [:flight, ours], or nil.
        def join(key)
          @mutex.synchronize do
            values, end_at = @entries[key]
            return [:value, values] if end_at && @clock.call < end_at

            flight = @flights[key]
            return [:flight, @flights[key] = Flight.new] unless flight

            flight.landed.wait(@mutex) until flight.is_done
            flight.outcome
          end
        end

        def lead(key, flight, lifetime)
          value = yield
          flight.outcome = [:value, value]
          value
        rescue Error => error
          flight.outcome = [:error, error.message]
          raise
        ensure # also when the session ends that asked
          @mutex.synchronize do
            keep(key, value, lifetime) if flight.outcome&.first == :value
            @flights.delete(key)
            flight.is_done = true
            flight.landed.broadcast
          end
        end

        def keep(key, value, lifetime)
          @entries.delete(key)
          return if lifetime.zero?

          @entries[key] = [value, @clock.call + lifetime]
          @entries.shift while @entries.size > @size
        end
      end
    end
  end
end
