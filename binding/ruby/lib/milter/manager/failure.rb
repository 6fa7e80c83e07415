# frozen_string_literal: true

module Milter
  module Manager
    # Turns an exception into the one line that the operator reads: "FILE:LINE: reason".
    module Failure
      LINE_MAX = 1000 # bytes

      module_function

      def describe(exception)
        case exception
        when SyntaxError
          first_line(exception)
        when ConfigurationError
          place = exception.location || place(configuration_location(exception))
          [place, first_line(exception)].compact.join(": ")
        when ArgumentError
          [place_of(exception), "#{call_of(exception) || "#{exception.class}: "}#{first_line(exception)}"].compact.join(": ")
        when SystemExit
          [place_of(exception), "exit was called"].compact.join(": ")
        else
          [place_of(exception), "#{exception.class}: #{first_line(exception)}"].compact.join(": ")
        end
      end

      # Where in the configuration it happened, or what it asks was defined; where in the library
      # when neither is known.
      def place_of(exception)
        place(configuration_location(exception)) || origin(exception) || place(exception.backtrace_locations&.first)
      end

      # Whether #describe names a line of the configuration.
      def located?(exception)
        !exception.is_a?(ConditionTimeout) && !exception.is_a?(SyntaxError) &&
          !(configuration_location(exception) || origin(exception)).nil?
      end

      def origin(exception)
        exception.location if exception.is_a?(Accounts::Error)
      end

      # "source.ldap: " where the configuration called a function of ours with wrong arguments.
      def call_of(exception)
        callee, caller = exception.backtrace_locations&.first(2)
        return nil unless caller && Source.configuration?(caller.path)

        name = callee.base_label
        return nil unless name.match?(/\A\w+[?!=]?\z/) && (in_c?(callee, caller) || !Source.configuration?(callee.path))

        line = Source.text(caller.path).lines[caller.lineno - 1].to_s
        "#{line[/\w+(?:\([^()]*\))?\.#{Regexp.escape(name)}\b/] || name}: "
      end

      # Whether it is a method of a context in C, which Ruby places where it is called.
      def in_c?(callee, caller)
        callee.lineno == caller.lineno && ChildContext.method_defined?(callee.base_label, false)
      end

      def configuration_location(exception)
        exception.backtrace_locations&.find { |each| Source.configuration?(each.path) }
      end

      def place(location)
        location && "#{location.path}:#{location.lineno}"
      end

      def first_line(exception)
        line = exception.message.to_s.byteslice(0, LINE_MAX).force_encoding(Encoding::UTF_8).scrub.lines.first
        (line || exception.class.to_s).chomp
      rescue Exception # rubocop:disable Lint/RescueException -- the message is users' code, too
        exception.class.to_s
      end
    end
  end
end
