# frozen_string_literal: true

module Milter
  module Manager
    # The loop of a worker's Ruby thread, as manager.event_loop_created gives it to its block.
    # What is added calls its block again and again while that is true; each call is a fiber
    # that may wait.  From any thread.
    class EventLoop
      IDLE_INTERVAL = 0.01 # s between two calls of an idle block
      CONDITIONS = { in: IO::READABLE, read: IO::READABLE, out: IO::WRITABLE, write: IO::WRITABLE }.freeze

      # One call of a block, which may wait but not compute for longer than conditions may.
      class Task < Scheduler::Task
        attr_reader :limit
        attr_accessor :is_expired
        attr_writer :deadline

        def initialize(scheduler, limit)
          super()
          @scheduler = scheduler
          @limit = limit
        end

        def deadline
          since = @scheduler.computing_since
          since && (@deadline || (since + @limit))
        end
      end

      # @param limit [Numeric] seconds a block may compute
      # @param watch [Proc] called before each block runs
      def initialize(scheduler, limit, &watch)
        @scheduler = scheduler
        @limit = limit
        @watch = watch
        @sources = {} # id of the scheduler, by our id
        @last_id = 0
        @lock = Thread::Mutex.new
      end

      # Call the block in SECONDS, again while it is true; an id for #remove.
      def add_timeout(seconds, *, **, &block)
        seconds = Float(seconds)
        raise ArgumentError, "#{seconds} is no time to wait" unless seconds.finite? && seconds >= 0

        add("add_timeout", block) do |_, call|
          @scheduler.after(seconds) { call.call }
        end
      end

      # Call the block when there is time, again while it is true.
      def add_idle(*, **, &block)
        add("add_idle", block) do |_, call|
          @scheduler.after(IDLE_INTERVAL) { call.call }
        end
      end

      # Call the block with IO and what it is ready for, when IO can be read (:in), written
      # (:out), or [:in, :out] for either; again while it is true.
      def watch_io(io, condition = :in, *, **, &block)
        events = Array(condition).sum { |each| each.is_a?(Integer) ? each : CONDITIONS.fetch(each.to_sym) }
        add("watch_io", block) do |_, call|
          @scheduler.on_io(io.fileno, events) { |ready| call.call(io, ready) } unless io.closed?
        end
      end

      # Call the block with PID and its Process::Status when that child of ours has ended.
      def watch_child(pid, *, **, &block)
        add("watch_child", block) do |id, call|
          ended = Process.detach(pid)
          Thread.new do
            status = ended.value
            @scheduler.post { call.call(pid, status) if @sources.key?(id) }
          end
          nil
        end
      end

      # Forget what was added; false when it is over already.
      def remove(id)
        known = @sources.key?(id)
        @scheduler.post do
          waiting = @sources.delete(id)
          @scheduler.forget(waiting) if waiting
        end
        known
      end

      # Call HOOK in a fiber; then the block with what it returned.
      def run(hook, *arguments)
        @watch.call
        @scheduler.start(Task.new(@scheduler, @limit)) do
          result = @scheduler.expose { hook.call(*arguments) }
          yield result if block_given?
        end
      end

      def inspect
        "event loop"
      end

      private

      # REGISTER waits, and calls what it is given when there is something to do.
      def add(what, block, &register)
        raise ArgumentError, "#{what} needs a block" unless block

        id = @lock.synchronize { @last_id += 1 }
        hook = Hooks::Hook.new("event loop's #{what}", Source.here, block)
        @sources[id] = nil
        repeat = what != "watch_child"
        arm = lambda do
          @sources[id] = register.call(id, ->(*arguments) { fire(id, hook, arguments, repeat && arm) })
        rescue SystemCallError, IOError => error
          @sources.delete(id)
          Milter::Logger.error("event loop's #{what} at #{hook.origin} failed: #{error.message}")
        end
        @scheduler.post { arm.call if @sources.key?(id) }
        id
      end

      def fire(id, hook, arguments, again)
        run(hook, *arguments) do |result|
          if result && again && @sources.key?(id)
            again.call
          else
            @sources.delete(id)
          end
        end
      end
    end
  end
end
