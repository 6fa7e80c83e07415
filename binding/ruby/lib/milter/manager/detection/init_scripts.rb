# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Services that init starts by scripts: /etc/init.d and the links in /etc/rc?.d of
      # Debian and Red Hat, also where systemd makes units of them.
      class InitScripts
        DIRECTORIES = %w[/etc/init.d /etc/rc.d/init.d].freeze
        RUN_LEVELS = %w[2 3 4 5].freeze
        # What /etc/default/NAME says to keep a script from doing anything.
        SWITCHES = %w[ENABLED ENABLE RUN START].freeze
        OFF = /\A(?:0|no|false|off)\z/i
        PROGRAMS = %w[DAEMON daemon EXEC exec PROG prog BINARY PROGNAME].freeze

        # @param units [Units, nil] of systemd, where it starts the scripts
        # @param wanted [Proc] (name, text) whether a script may be a milter
        def initialize(root, units, wanted)
          @root = root
          @units = units
          @wanted = wanted
        end

        def to_a
          DIRECTORIES.uniq { |directory| @root.real(directory) }.flat_map do |directory|
            @root.entries(directory).filter_map do |name|
              Service.guard(name, "#{directory}/#{name}") { service(name, "#{directory}/#{name}") }
            end
          end
        end

        private

        def service(name, path)
          unit = "#{name}.service"
          mask = @units&.mask(unit)
          return if name.match?(/\.(?:sh|dpkg-\w+|rpm\w+)\z/) || (@units&.known?(unit) && !mask)

          text = text_of(path)
          return unless text && @wanted.call(name, text)

          @root.read(path)
          errors = []
          shell = followed(name, text, path, errors)
          Service.new(name: name, unit_name: @units ? unit : name, path: path, errors: errors,
                      state: state(name, shell, mask), variables: shell.variables,
                      commands: shell.commands.map { |command| started(command) }.compact,
                      description: description(text), start: StartCommand.for(@root, unit, path),
                      programs: PROGRAMS.filter_map { |each| shell.text(each) }
                                        .map { |each| File.basename(each) })
        end

        def text_of(path)
          @root.file?(path) ? @root.peek(path) : nil
        rescue Problem
          nil
        end

        # What the script's variables become when it is called with "start"; the files of the
        # administrator count even where the script is not understood.
        def followed(name, text, path, errors)
          shell = Shell.new(@root, {}, arguments: ["start"])
          shell.run(text, path)
          shell
        rescue Problem => problem
          errors << "#{problem.message} (only its plain assignments are used)"
          shell.run_assignments(text, path)
          %w[/etc/default /etc/sysconfig].each { |directory| source(shell, "#{directory}/#{name}", errors) }
          shell
        end

        def source(shell, path, errors)
          shell.source(path)
        rescue Problem => problem
          errors << problem.message
        end

        def state(name, shell, mask)
          return [false, "masked by #{mask}"] if mask

          switch = SWITCHES.filter_map { |each| shell.variables[each] }.find { |each| each.value.match?(OFF) }
          return [false, "switched off at #{switch.origin}"] if switch

          program = shell.variables["DAEMON"]
          if program && program.value.start_with?("/") && !@root.exist?(program.value)
            return [false, "not installed: there is no #{program.value} (#{program.origin})"]
          end
          link = start_link(name)
          link ? [true, "enabled by #{link}"] : [false, "not enabled: no link to it in /etc/rc[2-5].d"]
        end

        def start_link(name)
          RUN_LEVELS.product(%w[/etc /etc/rc.d]).each do |level, directory|
            found = @root.entries("#{directory}/rc#{level}.d").grep(/\AS\d\d#{Regexp.escape(name)}\z/).first
            return "#{directory}/rc#{level}.d/#{found}" if found
          end
          nil
        end

        # What a helper such as start-stop-daemon starts, or nil: it starts nothing.
        def started(command)
          words = command.words
          words = words.drop(1) if words.first == "exec"
          case File.basename(words.first.to_s)
          when "start-stop-daemon" then helped(words, command)
          when "daemon", "start_daemon", "startproc", "nohup", "runuser"
            rest = words.drop(1).drop_while { |word| !word.match?(%r{\A/|\A[\w.-]*milter}) }
            rest.empty? ? nil : Command.new(rest, command.path, command.line)
          else
            words.first.to_s.start_with?("/") ? Command.new(words, command.path, command.line) : nil
          end
        end

        def helped(words, command)
          return if words.any? { |word| %w[--stop -K --status -T --test -t].include?(word) }

          program = Options.value(words, %w[--exec -x --startas -a]) or return
          rest = words.include?("--") ? words.drop(words.index("--") + 1) : []
          Command.new([program] + rest, command.path, command.line)
        end

        # From the header: LSB's Short-Description, or chkconfig's description.
        def description(text)
          text[/^#\s*Short-Description:\s*(.+)$/i, 1]&.strip ||
            text[/^#\s*description:\s*((?:.*\\\n)*.*)$/i, 1]&.gsub(/\\\n#?\s*/, "")&.strip
        end
      end
    end
  end
end
