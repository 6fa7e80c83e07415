# frozen_string_literal: true

module Milter
  module Manager
    # The session ended, or its message: raised in conditions that still wait.
    class SessionClosed < Exception; end # rubocop:disable Lint/InheritException -- not to be rescued by chance

    # A condition took longer than it may.
    class ConditionTimeout < Exception; end # rubocop:disable Lint/InheritException -- the same

    # One question: the children asked about, and what was decided for each.
    class Decision < Scheduler::Task
      APPLY = 0
      STOP = 1
      TEMPORARY_FAILURE = 2

      # An answer that may hold for other children; depth: 1 where a combination asked for it.
      Shared = Struct.new(:context, :depth, :done, :value, :shareable, :macros_read, :waiting) do
        # Whether it is still being computed, and nothing of its own child was looked at so far.
        def promising?
          !done && context.depth == depth && context.shareable?
        end
      end

      attr_reader :id, :session, :step, :children, :results, :limit, :macros
      attr_accessor :deadline, :timer, :is_expired, :is_closed, :items

      # The stoppers whose answers hold for every child that has just these, and what they
      # come to; whether they looked at macros, of which a child may have its own.
      attr_reader :common, :common_result, :common_reads_macros

      def initialize(id, session, step, children, limit)
        @id = id
        @session = session
        @step = step
        @children = children
        @limit = limit
        @deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + limit
        @results = Array.new(children.length, APPLY)
        @next = 0
        @n_done = 0
        @shared = nil
        @macros = nil
      end

      # The position of a child nobody works on yet; nil when there is none.
      def take
        return nil if @next >= @children.length

        @next += 1
        @next - 1
      end

      def pending?
        @next < @children.length
      end

      def finish(position, result)
        @results[position] = result
        @n_done += 1
      end

      # The children nobody works on yet are as good as those before.
      def finish_rest(result)
        rest = @children.length - @next
        @results.fill(result, @next)
        @n_done += rest
        @next += rest
      end

      def done?
        @n_done == @children.length
      end

      # Answers by stopper.
      def shared
        @shared ||= {}.compare_by_identity
      end

      def set_common(stoppers, result, reads_macros)
        @common = stoppers
        @common_result = result
        @common_reads_macros = reads_macros
      end

      def set_macros(child, macros)
        @macros ||= []
        macros.each { |name, value| @macros << [child, name, value] }
      end
    end
  end
end
