# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # Accounts in a table of Postfix that its own program reads: hash, lmdb, btree, texthash …
      class Postmap < Server
        FILES = { "hash" => ".db", "btree" => ".db", "lmdb" => ".lmdb", "cdb" => ".cdb", "texthash" => "" }.freeze
        # Of Postfix 3.4 to 3.10, whether this system's has it or not.
        KINDS = %w[btree cdb cidr dbm environ fail hash inline internal ldap lmdb memcache mongodb mysql netinfo nis
                   nisplus pcre pgsql pipemap proxy randmap regexp sdbm socketmap sqlite static tcp texthash unionmap
                   unix].freeze
        DIRECTORIES = %w[/usr/sbin /usr/local/sbin].freeze
        NOT_LISTED = /\Adunno\z/in
        FAILED = /\b(?:fatal|error|panic): .*/n

        # @param table [String] "hash:/etc/postfix/accounts"
        def initialize(settings, label, table)
          super(settings, label, :access)
          @table = table
          @program = program
          check_file(*table.split(":", 2))
        end

        def threaded? = false

        # The pool bounds the processes; there is one for each look-up.
        def connect = true
        def disconnect(_connection); end

        private

        def askable?(text)
          !text.whole.b.match?(/[\n\0]/n)
        end

        # All keys at once: one line each in, "key\tvalue" for those there are out.
        def first(_connection, texts)
          found = query(texts.map { |text| text.whole.b }).lines(chomp: true).map { |line| line.split("\t", 2) }
          found = found.to_h { |key, value| [key, value.to_s] }
          key = texts.find { |text| found.key?(text.whole.b) } or return nil
          value = found[key.whole.b]
          value.match?(NOT_LISTED) ? nil : bounded([value])
        end

        def query(keys)
          pipes = Array.new(3) { IO.pipe(binmode: true) }
          pid = Process.spawn(@program, "-q", "-", @table, in: pipes[0][0], out: pipes[1][1], err: pipes[2][1])
          [pipes[0][0], pipes[1][1], pipes[2][1]].each(&:close)
          talk(pipes[0][1], pipes[1][0], pipes[2][0], keys) { Process.wait2(pid).last.tap { pid = nil } }
        ensure
          pipes&.flatten&.each(&:close)
          end_now(pid) if pid
        end

        def talk(to, from, errors, keys)
          to.write(keys.map { |key| "#{key}\n" }.join)
          to.close
          answer = from.read
          complaint = errors.read
          status = yield
          return answer if status.exited? && status.exitstatus <= 1 && !complaint.match?(FAILED)

          raise Error, (complaint[FAILED] || complaint.lines.last || "postmap ended: #{status}").chomp
        end

        def end_now(pid)
          Process.kill(:KILL, pid)
          Process.detach(pid)
        rescue Errno::ESRCH
          nil
        end

        def program
          [*ENV.fetch("PATH", "").split(":"), *DIRECTORIES].map { |directory| File.join(directory, "postmap") }
                                                            .find { |path| File.executable?(path) } ||
            raise(ConfigurationError, "#{@table} is read by postmap, of the Debian package postfix")
        end

        def check_file(type, path)
          suffix = FILES[type] or return
          return if File.readable?("#{path}#{suffix}")

          hint = suffix.empty? ? "" : "; postmap #{@table} makes it"
          raise ConfigurationError, "cannot read #{path}#{suffix}#{hint}"
        end
      end
    end
  end
end
