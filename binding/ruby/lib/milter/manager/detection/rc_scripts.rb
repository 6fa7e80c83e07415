# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Services that rc.d scripts start: FreeBSD, and pkgsrc anywhere.
      class RcScripts
        CONFIGURATION = %w[/etc/rc.conf /etc/rc.conf.local].freeze

        # @param directories [Array<String>] of the scripts
        # @param local [String] a directory with another rc.conf.d
        # @param suffix [String] what makes the variable that switches NAME on of NAME
        # @param wanted [Proc] (name, text) whether a script may be a milter
        def initialize(root, directories, local, suffix, wanted)
          @root = root
          @directories = directories
          @local = local
          @suffix = suffix
          @wanted = wanted
        end

        def to_a
          @directories.uniq { |directory| @root.real(directory) }.flat_map do |directory|
            @root.entries(directory).flat_map do |name|
              Service.guard(name, "#{directory}/#{name}") { services(name, "#{directory}/#{name}") }
            end
          end
        end

        private

        # One, or one for each of its profiles.
        def services(file, path)
          text = @root.file?(path) ? @root.peek(path) : nil
          return [] unless text && @wanted.call(file, text)

          @root.read(path)

          shell = follow(text, path, {}, errors = [])
          name = shell.text("name")
          return [] if name.nil? || name.include?(SocketSpec::UNKNOWN)

          profiles = shell.text("#{name}_profiles").to_s.split
          return [service(file, path, shell, errors)] if profiles.empty?

          profiles.map do |profile|
            overlay = profile_variables(shell.variables, name, profile)
            service(file, path, follow(text, path, overlay, errors = []), errors, profile)
          end
        end

        # NAME_PROFILE_KEY counts for NAME_KEY.
        def profile_variables(variables, name, profile)
          own = variables.select { |key, _| key.start_with?("#{name}_#{profile}_") }
          overlay = own.transform_keys { |key| key.sub("#{name}_#{profile}_", "#{name}_") }
          overlay.merge("#{name}_profiles" => Setting.new("", variables["#{name}_profiles"].path, nil))
        end

        def follow(text, path, overlay, errors)
          load = lambda do |shell, name|
            [*CONFIGURATION, "/etc/rc.conf.d/#{name}", "#{@local}/rc.conf.d/#{name}"].each do |file|
              source(shell, file, errors)
            end
            shell.variables.merge!(overlay)
            true
          end
          shell = Shell.new(@root, {}, arguments: ["start"], on_load: load)
          shell.run(text, path)
          shell
        rescue Problem => problem
          errors << "#{problem.message} (only its plain assignments are used)"
          shell.run_assignments(text, path)
          load.call(shell, shell.text("name")) if shell.text("name")
          shell
        end

        # A file, or all files of a directory.
        def source(shell, path, errors)
          files = @root.directory?(path) ? @root.entries(path).map { |name| "#{path}/#{name}" } : [path]
          files.each do |file|
            shell.source(file)
          rescue Problem => problem
            errors << "#{problem.message} (only its plain assignments are used)"
            shell.run_assignments(@root.read(file).to_s, file)
          end
        end

        def service(file, path, shell, errors, profile = nil)
          name = shell.text("name")
          Service.new(name: [file, profile].compact.join("-"), unit_name: file, path: path,
                      state: state(name, shell), commands: commands(name, shell, path),
                      variables: unprefixed(name, shell.variables), description: shell.text("desc"),
                      start: [path, "start", profile].compact, errors: errors,
                      programs: %w[command procname].filter_map { |each| shell.text(each) }
                                                    .map { |each| File.basename(each) })
        end

        def state(name, shell)
          rcvar = shell.text("rcvar").to_s
          rcvar = "#{name}#{@suffix}" if rcvar.empty? || rcvar.include?(SocketSpec::UNKNOWN)
          setting = shell.variables[rcvar]
          return [false, "not enabled: #{rcvar} is not set"] unless setting

          return [true, "enabled at #{setting.origin}"] if setting.value.match?(ShellTest::YES)

          [false, "not enabled: #{rcvar} is \"#{setting.value}\" at #{setting.origin}"]
        end

        def commands(name, shell, path)
          command = shell.text("command") || shell.text("procname") or return []
          arguments = [shell.text("#{name}_flags"), shell.text("command_args")].compact
          words = arguments.flat_map { |text| UnitWords.split(text.include?("$") ? shell.expand(text) : text) }
          line = (shell.variables["command_args"] || shell.variables["#{name}_flags"] || shell.variables["command"])
          [Command.new([command, *words], line&.path || path, line&.line)]
        end

        # Without the name in front, as other scripts have them: "socket", "cfgfile".
        def unprefixed(name, variables)
          own = variables.select { |key, _| key.start_with?("#{name}_") }
          variables.merge(own.transform_keys { |key| key.delete_prefix("#{name}_") })
        end
      end
    end
  end
end
