# frozen_string_literal: true

module Milter
  module Manager
    # A file of data that is read again when it changes.  Data files are never evaluated.
    #
    #   words = WatchedFile.new(path) { |text, path| text.split }
    #   words.value
    #
    # What is wrong when it is read first is the operator's error; later it is a warning, and
    # what was read last stays.
    class WatchedFile
      CHECK_INTERVAL = 1.0 # seconds between two looks at the file
      MAX_SIZE = 64 * 1024 * 1024

      attr_reader :path

      # @yield [text, path] makes the value; raises ConfigurationError for a bad text
      def initialize(path, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }, &parse)
        @path = path
        @parse = parse
        @clock = clock
        @checked_at = clock.call
        @seen = nil
        read
      end

      # What the block made of the file as it is now.
      def value
        now = @clock.call
        if now - @checked_at >= CHECK_INTERVAL
          @checked_at = now
          refresh
        end
        @value
      end

      private

      def refresh
        stat = File.stat(@path)
        return if signature(stat) == @seen

        read
        Milter::Logger.info("#{@path} changed and was read again")
        @complaint = nil
      rescue ConfigurationError, SystemCallError => error
        complain(error)
      end

      # Once for each thing that is wrong.
      def complain(error)
        text = error.message.b
        return if @complaint == text

        @complaint = text
        place = error.respond_to?(:location) && error.location
        Milter::Logger.warning("#{place || @path}: #{text}; what was read before stays in use")
      end

      def read
        # A pipe would not let us in before somebody writes to it.
        File.open(@path, File::RDONLY | File::NONBLOCK | File::BINARY) do |file|
          stat = file.stat
          raise ConfigurationError, "#{@path} is not a file" unless stat.file?
          raise ConfigurationError, "#{@path} has more than #{MAX_SIZE} bytes" if stat.size > MAX_SIZE

          @seen = signature(stat)
          @value = @parse.call(file.read, @path)
        end
      rescue SystemCallError => error
        raise ConfigurationError, "cannot read #{@path}: #{error.message.sub(/ @ .*/m, '')}"
      end

      def signature(stat)
        [stat.ino, stat.size, stat.mtime.to_r]
      end
    end
  end
end
