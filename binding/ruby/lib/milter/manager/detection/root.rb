# frozen_string_literal: true

require "set"

module Milter
  module Manager
    class Detection
      # The files below a directory that is taken for "/": paths given and returned are as the
      # system below it knows them, and its symbolic links stay inside.  Everything that
      # detection reads comes through here, once.
      class Root
        SIZE_MAX = 1024 * 1024
        LINKS_MAX = 40

        # Below these, what is there changes all the time.
        VOLATILE = %r{\A/(?:run(?!/systemd/)|var/(?!db/)|tmp|dev|proc|sys)/}

        def initialize(directory = "/")
          @directory = directory == "/" ? "" : directory.chomp("/")
          @asked = Set.new
          @texts = {}
          @entries = {}
          @real = {}
        end

        # What was asked for, there or not, as outside() has it: what to watch for changes.
        def watchable
          @asked.grep_v(VOLATILE).map { |path| outside(path) }
        end

        # The text of a file; nil when there is none.
        def read(path)
          ask(path)
          peek(path)
        end

        # The same, for a first look that does not say yet that the file matters.
        def peek(path)
          return unless absolute?(path)

          file = real(path)
          @texts.fetch(file) { @texts[file] = read_file(path, file) }
        end

        def exist?(path) = !stat(path).nil?
        def file?(path) = stat(path)&.file? || false
        def directory?(path) = stat(path)&.directory? || false
        def socket?(path) = stat(path)&.socket? || false
        def executable?(path) = (stat = stat(path)) ? stat.file? && stat.mode & 0o111 != 0 : false
        def size(path) = stat(path)&.size

        # What systemd takes for a mask: an empty file, or a link to /dev/null.
        def void?(path)
          real(path) == "/dev/null" || ((stat = stat(path)) && stat.file? && stat.size.zero?) || false
        end

        # Names in a directory, sorted; none when it is not there.
        def entries(path)
          return [] unless absolute?(path)

          ask(path)
          directory = real(path)
          @entries.fetch(directory) { @entries[directory] = Dir.children(outside(directory)).sort }
        rescue SystemCallError
          @entries[directory] = []
        end

        # Paths that match a pattern of the shell, sorted.
        def glob(pattern)
          return (exist?(pattern) ? [pattern] : []) unless pattern.match?(/[*?\[]/)

          File.dirname(pattern).then do |directory|
            glob(directory).flat_map do |each|
              entries(each).select { |name| File.fnmatch(File.basename(pattern), name) }
                           .map { |name| File.join(each, name) }
            end
          end
        end

        # Where a symbolic link points to, in one step; nil: it is none.
        def link(path)
          target = File.readlink(outside(File.join(real(File.dirname(path)), File.basename(path))))
          File.expand_path(target, File.dirname(path))
        rescue SystemCallError
          nil
        end

        # The path without symbolic links; its end may be missing.
        def real(path)
          @real[path] ||= resolve(path)
        end

        # The path in the file system that this process sees.
        def outside(path) = "#{@directory}#{path}"

        private

        def ask(path)
          @asked << path if absolute?(path)
        end

        def absolute?(path)
          path.start_with?("/")
        end

        def stat(path)
          return unless absolute?(path)

          ask(path)
          File.lstat(outside(real(path)))
        rescue SystemCallError
          nil
        end

        def read_file(path, file)
          File.open(outside(file), File::RDONLY | File::NONBLOCK) do |io|
            raise Problem.new("is not a file", path) unless io.stat.file?
            raise Problem.new("has more than #{SIZE_MAX} bytes", path) if io.stat.size > SIZE_MAX

            (io.read(SIZE_MAX) || +"").force_encoding(Encoding::UTF_8).scrub("?").tr("\0", "?")
          end
        rescue Errno::ENOENT, Errno::ENOTDIR
          nil
        rescue SystemCallError => error
          raise Problem.new("cannot be read: #{error.message.sub(/ @ .*/m, '')}", path)
        end

        def resolve(path)
          directory, name = File.split(path)
          return walk(path) if name == ".." || directory == path

          directory = real(directory).delete_suffix("/")
          target = read_link("#{directory}/#{name}")
          target ? walk(File.absolute_path?(target) ? target : "#{directory}/#{target}") : "#{directory}/#{name}"
        end

        def walk(path)
          rest = path.split("/").reject(&:empty?)
          done = ""
          links = 0
          while (name = rest.shift)
            next if name == "."

            next done = done[%r{\A(.*)/}, 1].to_s if name == ".."

            target = links < LINKS_MAX ? read_link("#{done}/#{name}") : nil
            next done = "#{done}/#{name}" unless target

            links += 1
            rest.unshift(*target.split("/").reject(&:empty?))
            done = "" if target.start_with?("/")
          end
          done.empty? ? "/" : done
        end

        def read_link(path)
          File.symlink?(outside(path)) ? File.readlink(outside(path)) : nil
        rescue SystemCallError
          nil
        end
      end
    end
  end
end
