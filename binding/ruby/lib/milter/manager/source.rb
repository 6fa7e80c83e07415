# frozen_string_literal: true

module Milter
  module Manager
    # Files of the configuration: reading them, if they can be trusted, and knowing them again
    # in a backtrace.  Whoever can write such a file runs code as the user who started the
    # manager, mostly root.
    module Source
      WRITABLE_BY_OTHERS = 0o022

      @paths = {}

      class << self
        # The text of a file that only root, or we, can change.
        def read(path)
          check(File.dirname(path), File.stat(File.dirname(path)))
          File.open(path, File::RDONLY | File::NONBLOCK | File::BINARY) do |file|
            check_kind(path, file.stat)
            check(path, file.stat)
            @paths[path] = file.read.force_encoding(Encoding::UTF_8)
          end
        rescue SystemCallError => error
          raise ConfigurationError, "cannot read #{path}: #{reason(error)}"
        end

        # The text of a file that was read.
        def text(path)
          @paths.fetch(path)
        end

        # Whether PATH was read as configuration.
        def configuration?(path)
          @paths.key?(path)
        end

        # Whether something that was read has letters beyond ASCII, but for comments: texts of
        # clients must be UTF-8 then to go with them, else bytes go with everything.
        def utf8?
          @paths.each_value.any? do |text|
            text.b.each_line.any? { |line| !line.match?(/\A\s*#/) && (!line.ascii_only? || line.include?("\\u")) }
          end
        end

        # "FILE:LINE" of the configuration that is being evaluated.
        def here
          return @origin if @origin

          location = caller_locations.find { |each| configuration?(each.path) }
          location ? "#{location.path}:#{location.lineno}" : "milter-manager"
        end

        # What the block does is done for the line ORIGIN, evaluated before.
        def at(origin)
          @origin = origin
          yield
        ensure
          @origin = nil
        end

        private

        # A pipe or a device may never end.
        def check_kind(path, stat)
          return if stat.file? || stat.directory?

          raise ConfigurationError, "cannot read #{path}: it is not a file but a #{stat.ftype}"
        end

        def check(path, stat)
          unless [0, Process.uid].include?(stat.uid)
            raise ConfigurationError,
                  "#{path} belongs to user #{stat.uid}; it must belong to root or to the user " \
                  "who starts milter-manager (#{Process.uid})"
          end
          return if (stat.mode & WRITABLE_BY_OTHERS).zero?

          raise ConfigurationError, "#{path} can be written by others; chmod go-w #{path}"
        end

        # "No such file or directory" without "@ rb_sysopen - PATH".
        def reason(error)
          error.message.sub(/ @ .*/m, "")
        end
      end
    end
  end
end
