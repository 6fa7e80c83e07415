# frozen_string_literal: true

require "io/nonblock"

module Milter
  module Manager
    # Waits at files that know nothing of schedulers, made to suspend only the fiber: locks,
    # FIFOs by any way of opening them, and copies.
    module WaitingFiles
      module_function

      # Call the block where a FIFO's other end may be waited for.
      def apart(path, &block)
        fifo?(path) ? Milter.in_thread(&block) : yield
      end

      # Whether PATH is one, and the current fiber may be suspended.
      def fifo?(path)
        return false unless Waiting.scheduler && (path.is_a?(String) || path.respond_to?(:to_path))

        File.pipe?(path)
      rescue SystemCallError, ArgumentError
        false
      end

      # File#flock, File.new and File.open
      module Instance
        def initialize(path, ...)
          return super unless WaitingFiles.fifo?(path)

          Milter.in_thread { super }
          self.nonblock = true # else reading waits in the kernel
        end

        def flock(operation)
          return super unless Waiting.scheduler && (operation & File::LOCK_NB).zero?

          Milter.in_thread { super(operation) }
        end
      end

      # Kernel#open
      module Open
        def open(path, *arguments, **options, &block)
          return super unless WaitingFiles.fifo?(path)

          File.open(path, *arguments, **options, &block)
        end
      end

      # IO.read and the others that open a file by its name
      module Named
        def read(path, *, **) = WaitingFiles.apart(path) { super }
        def binread(path, *, **) = WaitingFiles.apart(path) { super }
        def readlines(path, *, **) = WaitingFiles.apart(path) { super }
        def write(path, *, **) = WaitingFiles.apart(path) { super }
        def binwrite(path, *, **) = WaitingFiles.apart(path) { super }
        def sysopen(path, *, **) = WaitingFiles.apart(path) { super }

        def foreach(path, *arguments, **options, &block)
          return super unless block && WaitingFiles.fifo?(path)

          File.open(path) { |file| file.each_line(*arguments, **options, &block) }
          nil
        end

        def copy_stream(*)
          Milter.in_thread { super }
        end
      end

      def install
        File.prepend(Instance)
        IO.singleton_class.prepend(Named)
        Kernel.prepend(Open)
        Kernel.singleton_class.prepend(Open)
      end
    end
  end
end
