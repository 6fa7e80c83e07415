# frozen_string_literal: true

module Milter
  module Manager
    # Libraries that are loaded only when the configuration asks for what needs them.
    module Library
      module_function

      # @param feature [String] what is required
      # @param package [String] the Debian package that has it
      # @param why [String] who needs it
      def load(feature, package, why)
        LoadGuard.lift { require feature }
      rescue LoadError => error
        raise ConfigurationError, "#{why} needs the Debian package #{package} (#{error.message.lines.first.chomp})"
      end
    end
  end
end
