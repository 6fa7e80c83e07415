# frozen_string_literal: true

module Milter
  module Manager
    # What a worker does after every manager.maintenance_interval finished sessions: memory goes
    # back to the system, at most once a minute; memory is reported; hooks run.
    class Maintenance
      RELEASE_INTERVAL = 60 # s; collecting garbage takes milliseconds

      def initialize(hooks)
        @hooks = hooks
        @released_at = now
        Native.wants_maintenance = !hooks.maintained.empty? || hooks.reports_memory
      end

      def run
        release if now - @released_at >= RELEASE_INTERVAL
        report if @hooks.reports_memory
        @hooks.maintained.each(&:call)
      end

      private

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      def release
        GC.start
        Native.release_memory
        @released_at = now
      end

      def report
        objects = ObjectSpace.count_objects
        kinds = objects.filter_map { |kind, n| "#{kind[2..].downcase}=#{n}" if kind.start_with?("T_") && n.positive? }
        Milter::Logger.info("memory rss_kb=#{rss} ruby_objects=#{objects[:TOTAL] - objects[:FREE]} " \
                            "gc_runs=#{GC.count} #{kinds.join(' ')}")
      end

      def rss
        File.read("/proc/self/status")[/^VmRSS:\s+(\d+)/, 1]
      rescue SystemCallError
        "?"
      end
    end
  end
end
