# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # A command that starts something: its words, and the line they are from.
      Command = Struct.new(:words, :path, :line) do
        # What runs: "opendkim"; for an interpreter, its script.
        def program
          name = File.basename(words.first.to_s)
          return name unless name.match?(/\A(?:python|perl|ruby|lua)[\d.]*\z/)

          script = words.drop(1).find { |word| !word.start_with?("-") }
          script ? File.basename(script) : name
        end
      end

      # What a system starts and how, whatever its kind: a unit, an init script, an rc.d script.
      class Service
        # "opendkim", "opendkim.service"; path of the file.
        attr_reader :name, :unit_name, :path
        # Command lines, with all known variables replaced (Command).
        attr_reader :commands
        # What its variables are, by name (Setting).
        attr_reader :variables
        # Sockets that the system opens for it (Setting).
        attr_reader :listens
        attr_reader :description, :user, :start, :errors
        # Programs that its text names besides those of the commands.
        attr_reader :programs

        # @param state [Array(Boolean, String)] whether the system starts it, and why
        # @param start [Array<String>] command that starts it
        def initialize(name:, unit_name:, path:, state:, commands: [], variables: {}, listens: [],
                       description: nil, user: nil, start: nil, errors: [], programs: [])
          @name = name
          @unit_name = unit_name
          @path = path
          @enabled, @reason = state
          @commands = commands
          @variables = variables
          @listens = listens
          @description = description
          @user = user
          @start = start
          @errors = errors
          @programs = (commands.map(&:program) + programs).uniq
        end

        # What the block makes of a file; whatever may be in it, a service results.
        def self.guard(name, path)
          yield
        rescue StandardError => error
          new(name: name.sub(/\.\w+\z/, ""), unit_name: name, path: path, errors: [reason(path, error)],
              state: [false, "it cannot be examined"])
        end

        # One line for the operator.
        def self.reason(path, error)
          error.is_a?(Problem) ? error.message : "#{path}: #{error.class}: #{error.message.lines.first.to_s.chomp}"
        end

        def enabled? = @enabled
        attr_reader :reason

        # A variable that is there and not empty.
        def variable(name)
          setting = @variables[name]
          setting unless setting.nil? || setting.value.empty?
        end
      end

      # The command with which an administrator starts a service.
      module StartCommand
        module_function

        # @return [Array<String>]
        def for(root, name, script = nil)
          return ["/usr/bin/systemctl", "start", name] if root.executable?("/usr/bin/systemctl")

          service = %w[/sbin/service /usr/sbin/service].find { |path| root.executable?(path) }
          return [service, name.delete_suffix(".service"), "start"] if service

          script ? [script, "start"] : ["systemctl", "start", name]
        end
      end
    end
  end
end
