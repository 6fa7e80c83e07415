# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Services that systemd starts.
      class UnitServices
        # @param wanted [Proc] (name, text) whether a unit may be a milter
        def initialize(root, units, wanted)
          @root = root
          @units = units
          @wanted = wanted
        end

        def to_a
          @units.names.grep(/\.service\z/).filter_map do |name|
            Service.guard(name, @units.paths(name).first) { service(name) }
          end + instantiated
        end

        private

        def service(name)
          return unless @wanted.call(name.delete_suffix(".service"), @units.text(name))

          unit = @units.unit(name)

          make(unit, sockets_of(name))
        end

        # Sockets each of whose connections is a service instance of its own.
        def instantiated
          socket_units.select { |socket| socket.true?("Socket", "Accept") }.filter_map do |socket|
            template = @units.unit(socket.name.sub(/\.socket\z/, "@.service"))
            name = socket.name.delete_suffix(".socket")
            next unless template.path && @wanted.call(name, @units.text(template.name) + @units.text(socket.name))

            make(template, [socket], name: name, unit: socket)
          end
        end

        def socket_units
          @socket_units ||= @units.names.grep(/\.socket\z/).map { |name| @units.unit(name) }
        end

        def sockets_of(name)
          socket_units.select do |socket|
            !socket.true?("Socket", "Accept") && socket.state.first &&
              (socket.text("Socket", "Service") || socket.name.sub(/\.socket\z/, ".service")) == name
          end
        end

        def make(service, sockets, unit: service, name: unit.name.sub(/\.\w+\z/, ""))
          errors = service.errors.dup
          variables = variables(service, errors)
          Service.new(
            name: name, unit_name: unit.name, path: unit.path, state: state(unit, sockets),
            commands: commands(service, variables), variables: variables,
            listens: sockets.flat_map { |socket| listens(socket) },
            description: unit.text("Unit", "Description"), user: service.text("Service", "User"),
            start: StartCommand.for(@root, unit.name), errors: errors + sockets.flat_map(&:errors)
          )
        end

        # Starting the socket starts the service.
        def state(unit, sockets)
          own = unit.state
          return own if own.first || own.last.start_with?("masked")

          enabled = sockets.map(&:state).find(&:first)
          enabled || own
        end

        def listens(socket)
          socket.list("Socket", "ListenStream").map do |setting|
            setting.with(UnitWords.specify(setting.value, socket.name))
          end
        end

        def variables(unit, errors)
          variables = {}
          unit.list("Service", "Environment").each do |setting|
            UnitWords.split(UnitWords.specify(setting.value, unit.name)).each do |word|
              name, value = word.split("=", 2)
              variables[name] = setting.with(value) if value
            end
          end
          unit.list("Service", "EnvironmentFile").each do |setting|
            variables.merge!(environment_file(setting, unit))
          rescue Problem => problem
            errors << problem.message
          end
          variables
        end

        def environment_file(setting, unit)
          pattern = UnitWords.specify(setting.value.delete_prefix("-"), unit.name)
          files = @root.glob(pattern)
          if files.empty? && !setting.value.start_with?("-")
            raise Problem.new("#{pattern} is not there: the unit cannot start", setting.path, setting.line)
          end

          files.reduce({}) { |found, file| found.merge(EnvironmentFile.parse(@root.read(file).to_s, file)) }
        end

        def commands(unit, variables)
          values = variables.transform_values(&:value)
          unit.list("Service", "ExecStart").flat_map do |setting|
            prefix, line = setting.value.match(/\A([-@:+!|]*)\s*(.*)\z/m).captures
            words = UnitWords.split(line).map { |word| UnitWords.specify(word, unit.name) }
            words.delete_at(1) if prefix.include?("@")
            words.slice_when { |before, _| before == ";" }.filter_map do |each|
              each -= [";"]
              each = UnitWords.substitute(each, values) unless prefix.include?(":")
              command(each, setting, variables) unless each.empty?
            end
          end
        end

        # For "sh -c 'exec milter …'" that what the shell starts.
        def command(words, setting, variables)
          shell = words.index("-c") if File.basename(words.first).match?(/\A(?:ba|da|k|z)?sh\z/)
          words = shell_command(words[shell + 1].to_s, setting, variables) || words if shell
          Command.new(unwrapped(words), setting.path, setting.line)
        end

        def shell_command(text, setting, variables)
          shell = Shell.new(@root, variables)
          shell.run(text, setting.path, setting.line)
          words = shell.commands.last&.words
          words&.first == "exec" ? words.drop(1) : words
        end

        def unwrapped(words)
          return words unless File.basename(words.first.to_s) == "env"

          words.drop(1).drop_while { |word| word.match?(/\A-|\A\w+=/) }
        end
      end
    end
  end
end
