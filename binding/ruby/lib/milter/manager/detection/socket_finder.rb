# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Where a service listens, and all else that its configuration says.
      class SocketFinder
        # Variables that hold a socket, and such that hold options with one.
        SOCKETS = %w[SOCKET socket SOCKET_ADDRESS MILTER_SOCKET MILTERSOCKET SOCKFILE sockfile
                     CONNECTION_SPEC connection_spec spec].freeze
        OPTIONS = %w[OPTARGS DAEMON_ARGS PARAMS OPTIONS DAEMON_OPTS EXTRA_FLAGS flags].freeze

        # The found socket (Setting) with its normal spelling; Config, or nil; why there is none.
        attr_reader :setting, :spec, :config, :reason

        # @param etc [Array<String>] directories in which configurations are
        # @param kind [Kind]
        def initialize(root, etc, kind, service)
          @root = root
          @etc = etc
          @kind = kind
          @service = service
        end

        def find
          @config = @kind.file && read_config
          candidates.each { |setting| return self if take(setting) }
          @reason ||= @missing ? "there is no #{@missing}" : "its socket is set nowhere"
          self
        end

        # Words of the command that runs the milter.
        def words
          @words ||= @kind.command(@service)&.words || []
        end

        # The reason why the operator has not finished its configuration, or nil.
        def unconfigured
          @config&.unconfigured ||
            (@sample || (@missing && @spec.nil?) ? "not configured: #{@reason}" : nil)
        end

        private

        # Whether SETTING tells the socket, or ends the search.
        def take(setting)
          @spec = SocketSpec.normalise(setting.value)
          @setting = setting
          @reason = nil
          true
        rescue SocketSpec::Unusable => error
          @sample = error.is_a?(SocketSpec::Sample)
          @reason ||= "#{setting.origin}: #{error.message}"
          @sample
        end

        # All places, in the order in which the programs and their scripts look at them.  What a
        # unit's command says is what the program gets; a script's own files come before what we
        # understand of its commands.
        def candidates
          unit = @service.unit_name.end_with?(".service", ".socket") && !script?
          command = command_socket
          [*@service.listens, unit ? command : nil, @config&.socket, *variables, command, default].compact
        end

        def script?
          @service.path.to_s.match?(%r{/(?:init\.d|rc\.d)/})
        end

        def command_socket
          command = @kind.command(@service)
          value = command && @kind.socket_in(command.words)
          value && Setting.new(value, command.path, command.line)
        end

        def variables
          sockets = SOCKETS.filter_map { |name| @service.variable(name) }
          options = OPTIONS.filter_map do |name|
            setting = @service.variable(name) or next
            value = @kind.socket_in(["", *UnitWords.split(setting.value)])
            value && setting.with(value)
          end
          sockets + options
        end

        def default
          @kind.default_socket && Setting.new(@kind.default_socket, "the default of #{@kind.name}", nil)
        end

        # The configuration that the command, the script or the usual places name.
        def read_config
          paths = [@kind.config_in(words), *named_by_variables].compact
          paths.reject! { |path| path.include?(SocketSpec::UNKNOWN) }
          path = paths.find { |each| @root.file?(each) } || usual_places.find { |each| @root.file?(each) }
          return @kind.file.read(@root, path) if path

          @missing = paths.first
          nil
        rescue Problem => problem
          @service.errors << problem.message
          nil
        end

        def named_by_variables
          @kind.config_variables.filter_map { |name| @service.variable(name)&.value }
               .select { |path| path.start_with?("/") } +
            (%w[CLAMAV_FLAGS] + OPTIONS).filter_map do |name|
              setting = @service.variable(name)
              setting && @kind.config_in(["", *UnitWords.split(setting.value)])
            end
        end

        def usual_places
          @etc.flat_map { |directory| @kind.config_names.map { |name| "#{directory}/#{name}" } }
        end
      end
    end
  end
end
