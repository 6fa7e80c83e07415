# frozen_string_literal: true

module Milter
  module Manager
    # Answers by name, each for its lifetime; the oldest go when there are too many.
    class DNSCache
      LIFETIME_MAX = 86_400
      ERROR_LIFETIME = 30 # seconds in which a name that could not be asked is not asked again

      def initialize(size = 10_000, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
        @size = size
        @clock = clock
        @entries = {}
      end

      # The answer, or nil.
      def [](name)
        answer, end_at = @entries[name]
        return nil unless answer
        return answer if @clock.call < end_at

        @entries.delete(name)
        nil
      end

      def []=(name, answer)
        lifetime = answer.error ? ERROR_LIFETIME : answer.ttl.clamp(1, LIFETIME_MAX)
        @entries.delete(name)
        @entries[name] = [answer, @clock.call + lifetime]
        @entries.shift while @entries.size > @size
      end

      def clear
        @entries.clear
      end
    end
  end
end
