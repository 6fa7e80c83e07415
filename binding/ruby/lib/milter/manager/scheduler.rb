# frozen_string_literal: true

module Milter
  module Manager
    # Ruby's Fiber::Scheduler on the loop of decide.c: what waits in a fiber suspends only that.
    #
    # The loop is the thread's root fiber; hooks transfer to it, never yield: inside a nested
    # fiber that would return to the user's code.
    class Scheduler
      # One fiber that waits, for whose task, and in which strand of it: the fiber that the loop
      # started, with the fibers that are resumed inside of it.
      Wait = Struct.new(:fiber, :task, :strand)

      # A time limit of timeout_after: raised into whatever of the strand waits then.
      Limit = Struct.new(:task, :strand, :error)

      # What runs in fibers for one purpose; a plain one for Fiber.schedule in the loop.
      class Task
        def waits
          @waits ||= []
        end

        # Seconds on the monotonic clock until which it may compute; nil: no limit.
        def deadline = nil
      end

      def task = Native.task
      def strand = Native.strand
      def computing_since = Native.computing_since

      def initialize
        @root = Fiber.current
        @fired = []   # [id, events, …] that happened
        @waits = {}   # by id of Native.wait_for: Wait, Limit or Proc
        @blocked = {} # Wait by fiber
        @endings = {} # blocks by strand
        @ready = []   # fibers of other threads' doing
        @posted = []  # blocks, the same
        Native.open_fibers(self, @ready, @endings)
      end

      # --- the loop's side ---

      # Wait for whatever comes first, if MAY_WAIT, and let it go on; nil when the worker ends.
      def turn(may_wait)
        fired = Native.poll(may_wait && @ready.empty? && @posted.empty? && @fired.empty?)
        # Those that threads have made ready are let go on at the end, too.
        return nil unless fired || @ready.any? || @posted.any?

        # One by one: an exception from another thread may come in between.
        @fired.concat(fired) if fired && !fired.empty?
        fire(*@fired.shift(2)) until @fired.empty?
        resume_ready unless @ready.empty?
        run_posted unless @posted.empty?
        true
      end

      # Do TASK's work, or call the block, in a fiber until it waits.
      def start(task, &block)
        Native.start(task, block)
      end

      # Call the block in SECONDS; an id for Native.unwait through #forget.
      def after(seconds, &block)
        id = Native.wait_for(nil, 0, seconds)
        @waits[id] = block
        id
      end

      # Call the block with the events when they come, once; an id as above.
      def on_io(descriptor, events, &block)
        id = Native.wait_for(descriptor, events, nil)
        @waits[id] = block
        id
      end

      # Call the block in the loop, soon; from any thread.
      def post(&block)
        @posted << block
        Native.wake
      end

      def forget(id)
        Native.unwait(id)
        @waits.delete(id)
      end

      # Call the block as code of users.
      def expose
        Native.exposed = true
        yield
      ensure
        Native.exposed = false
      end

      # Call the block when the current strand ends.
      def at_end(&block)
        (@endings[strand] ||= []) << block
      end

      # Raise in all fibers of TASK that wait.
      def interrupt(task, error)
        task.waits.dup.each { |wait| resume(wait, error) if task.waits.include?(wait) }
      end

      # --- hooks ---

      def io_wait(io, events, timeout = nil)
        wait(io.fileno, events, timeout)
      end

      # Ends early by unblock: a ConditionVariable's waiting is a sleep to Ruby.
      def kernel_sleep(seconds = nil)
        wait(nil, 0, seconds, Fiber.current)
        true
      end

      def block(_blocker, timeout = nil)
        fiber = Fiber.current
        wait(nil, 0, timeout, fiber) ? true : false
      end

      # From any thread.
      def unblock(_blocker, fiber)
        @ready << fiber
        Native.wake
      end

      def timeout_after(seconds, error_class = nil, *arguments)
        return yield(seconds) unless seconds

        error = (error_class || Timeout::Error).new(*(arguments.empty? ? ["execution expired"] : arguments))
        id = Native.wait_for(nil, 0, seconds)
        @waits[id] = Limit.new(task, strand, error)
        begin
          yield seconds
        ensure
          forget(id)
        end
      end

      def address_resolve(host)
        Milter.in_thread do
          Addrinfo.getaddrinfo(host, nil).map(&:ip_address).uniq
        rescue SocketError
          []
        end
      end

      def process_wait(pid, flags)
        thread = Thread.new { Process::Status.wait(pid, flags) }
        thread.value
      ensure
        thread&.kill
      end

      def io_select(readers, writers, errors, timeout = nil)
        Waiting.select(self, readers, writers, errors, timeout)
      end

      def fiber(&block)
        task = self.task || Task.new
        fiber = Fiber.new(blocking: false) do
          Native.serve_once(-> { expose(&block) })
        end
        # Later, so that a fiber is only ever entered from the loop.
        @blocked[fiber] = Wait.new(fiber, task, fiber)
        unblock(nil, fiber)
        fiber
      end

      def close; end
      def run; end

      # Suspend until one of several descriptors; the events by descriptor's position.
      def wait_any(descriptors, timeout)
        exposed = Native.exposed
        Native.exposed = false
        wait = Wait.new(Fiber.current, task, strand)
        ids = descriptors.map { |fd, events| register(fd, events, nil, wait) }
        timer = register(nil, 0, timeout, wait) if timeout
        fired = suspend(wait) # the id
        position = ids.index(fired.first)
        position && [position, fired.last]
      ensure
        [*ids, *timer].each { |id| forget(id) }
        Native.exposed = exposed
      end

      # --- for fibers.c ---

      def make_fiber
        Fiber.new(blocking: false) { |work| Native.serve(work) }
      end

      # Nobody rescued ERROR.
      def failed(error)
        Logger.error("conditions=failed reason=#{Failure.describe(error).dump}") unless error.is_a?(SessionClosed)
      end

      # The work of FIBER is over.
      def left(fiber)
        @endings.delete(fiber)&.each(&:call)
      ensure
        @ready.delete(fiber)
      end

      private

      # Suspend until EVENTS or the time; the events, or false.
      def wait(descriptor, events, timeout, blocked = nil)
        exposed = Native.exposed
        Native.exposed = false # so that what follows is not left half done
        wait = Wait.new(Fiber.current, task, strand)
        id = register(descriptor, events, timeout, wait) if descriptor || timeout
        @blocked[blocked] = wait if blocked
        result = suspend(wait)
        return true if result == :unblocked

        result.last.zero? ? false : result.last
      ensure
        forget(id) if id
        @blocked.delete(blocked) if blocked
        Native.exposed = exposed
      end

      def register(descriptor, events, timeout, wait)
        id = Native.wait_for(descriptor, events, timeout && [timeout, 0].max)
        @waits[id] = wait
        id
      end

      # To the loop and back.
      def suspend(wait)
        wait.task&.waits&.push(wait)
        result = @root.transfer
        raise result if result.is_a?(Exception)

        result
      ensure
        wait.task&.waits&.delete(wait)
      end

      def fire(id, events)
        case (wait = @waits[id])
        when Wait then resume(wait, [id, events])
        when Proc
          @waits.delete(id)
          Native.unwait(id)
          wait.call(events)
        when Limit
          waiting = wait.task&.waits&.reverse_each&.find { |each| each.strand.equal?(wait.strand) }
          resume(waiting, wait.error) if waiting
        end
      end

      def resume_ready
        @ready.size.times do
          wait = @blocked.delete(@ready.shift)
          resume(wait, :unblocked) if wait
        end
      end

      def run_posted
        posted = @posted
        @posted = []
        posted.each(&:call)
      end

      def resume(wait, value)
        Native.enter(wait.task, wait.strand, wait.fiber, value)
      end
    end
  end
end
