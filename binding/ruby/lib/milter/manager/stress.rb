# frozen_string_literal: true

module Milter
  module Manager
    # Whether the MTA is nearly full: whether sessions reach a threshold.
    class Stress < Tunable
      # @param limits an object with MTALimits' functions
      def initialize(limits = MTALimits)
        super("stress")
        @max_connections = 0
        @limits = limits
        @threshold = nil
        @detected = {}
      end

      # Sessions from which on there is stress; 0: never; nil: three quarters of the smallest
      # of manager.max_connections and what the MTA's own files allow.
      def threshold_n_connections=(number)
        @threshold = check_number(:threshold_n_connections, number, nil_allowed: true)
        note_set(:threshold_n_connections, number)
      end

      # Know manager.max_connections, once the configuration is complete.
      def settle(max_connections)
        @max_connections = max_connections
      end

      # @param context a session's, to tell which MTA it is
      def threshold_n_connections(context = nil)
        return @threshold if @threshold

        postfix = context ? context.postfix? : nil
        @detected[postfix] ||= three_quarters(limits_of(postfix))
      end

      def stressed?(context)
        threshold = threshold_n_connections(context)
        threshold.positive? && context.n_processing_sessions >= threshold
      end

      private

      def defaults
        { threshold_n_connections: nil }
      end

      def limits_of(postfix)
        of_mta = case postfix
                 when true then @limits.postfix
                 when false then @limits.sendmail
                 else @limits.postfix || @limits.sendmail
                 end
        [@max_connections, of_mta].compact.select(&:positive?)
      end

      def three_quarters(limits)
        limits.empty? ? 0 : [limits.min * 3 / 4, 1].max
      end
    end

    Breaker = Stress # 2.x's name for it
  end
end
