# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # What is known of a milter program: how it is recognised and where it has its socket from.
      class Kind
        # Variables of scripts that hold the path of the configuration.
        CONFIG_VARIABLES = %w[cfgfile conf_file config CONFIG CONF_FILE CONFFILE CONFIG_FILE].freeze

        attr_reader :name, :socket_options, :config_options, :config_names, :config_variables, :file,
                    :default_socket, :required_variable

        # @param programs [Array<String>] names of the program
        # @param services [Array<String>] names of units and scripts
        # @param role [Symbol, Array<Symbol>] see Roles
        # @param socket_options [Array<String>] options with the socket
        # @param positional [nil, :socket, :config] what an argument without option is
        # @param flags [Array<String>] options that take another argument
        # @param config_options [Array<String>] options with the configuration's path
        # @param config_names [Array<String>] its usual places below /etc
        # @param file [#read, nil] reads the configuration
        # @param default_socket [String, nil] what the program takes when nothing is set
        # @param modes [Hash{String => Array<Symbol>}] roles by what the configuration says
        # @param required_variable [String, nil] without which a service of that name is no milter
        def initialize(name, programs: [name], services: [name], role: :content, socket_options: ["-p"],
                       positional: nil, flags: [], config_options: [], config_names: [], config_variables: [],
                       file: nil, default_socket: nil, mode_option: nil, modes: nil, required_variable: nil)
          @name = name
          @programs = programs
          @services = services
          @roles = Array(role)
          @socket_options = socket_options
          @positional = positional
          @flags = flags
          @config_options = config_options
          @config_names = config_names
          @config_variables = config_variables + CONFIG_VARIABLES
          @file = file
          @default_socket = default_socket
          @mode_option = mode_option
          @modes = modes
          @required_variable = required_variable
        end

        # Whether a file of that name or text is worth a look.
        def hint
          @hint ||= Regexp.union(*@programs, *@services)
        end

        def of?(service)
          return false if @required_variable && !service.variable(@required_variable)

          (service.programs & @programs).any? || @services.include?(service.name[/\A[^@]*/])
        end

        # Whether its units and scripts are called so.
        def called?(name)
          @services.include?(name) || name == @name
        end

        # The command of SERVICE that runs the program.
        def command(service)
          service.commands.reverse.find { |each| @programs.include?(each.program) } ||
            service.commands.last
        end

        # The socket on a command line, or nil.
        def socket_in(words)
          Options.value(words, @socket_options) ||
            (@positional == :socket ? argument(words) { |word| word.match?(Options::LOOKS_LIKE_SOCKET) } : nil)
        end

        # The configuration on a command line, or nil.
        def config_in(words)
          Options.value(words, @config_options) ||
            (@positional == :config ? argument(words) { |word| word.start_with?("/") } : nil)
        end

        # @param config [Config, nil]
        def roles(words, config)
          return @roles unless @modes

          mode = (@mode_option && Options.value(words, [@mode_option])) || config&.mode
          letters = mode.to_s.downcase.chars.sort.join
          @modes.fetch(letters, @roles)
        end

        private

        # Arguments that are no options; of a script after its interpreter.
        def argument(words, &block)
          start = words.index { |word| @programs.include?(File.basename(word)) } || 0
          Options.plain(words.drop(start), @flags + @config_options).reverse.find(&block)
        end
      end
    end
  end
end
