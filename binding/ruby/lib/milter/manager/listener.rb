# frozen_string_literal: true

module Milter
  module Manager
    # Sessions that came in through certain listeners of the MTA, by the name or port it gives
    # in {daemon_name} and {daemon_port}.
    class Listener < Tunable
      # What the condition that is shipped under a name means until it is changed.
      SHIPPED = {
        "Inbound" => { ports: [25] },
        "Submission" => { names: %w[MSA MSP submission submissions smtps ORIGINATING],
                          ports: [587, 465] },
        "Local" => { names: [], ports: [0] }
      }.freeze

      # @param name [String] of the condition
      def initialize(name)
        super("listener(#{name.dump})")
        @name = name
        shipped = SHIPPED.fetch(name, {})
        @names = shipped.fetch(:names, []).map { |each| Matcher.new(each) }
        @ports = shipped.fetch(:ports, []).dup
      end

      # Listeners that the MTA calls so: a string or a regular expression.
      def add_daemon_name(matcher)
        @names << Matcher.of(matcher)
        note(:add_daemon_name, matcher)
      rescue ArgumentError => error
        raise ConfigurationError, "#{@word}.add_daemon_name: #{error.message}"
      end

      # Listeners on a port; 0: mail that came in without SMTP.
      def add_daemon_port(port)
        unless port.is_a?(Integer) && port.between?(0, 65_535)
          wrong(:add_daemon_port, port, "a port (0 to 65535)")
        end

        @ports << port
        note(:add_daemon_port, port)
      end

      # No listener so far.
      def clear
        @names.clear
        @ports.clear
        note(:clear)
      end

      # @param context the session's
      # @param socket_address the client's
      def include?(context, socket_address)
        name = context["daemon_name"]
        return true if name && @names.any? { |matcher| matcher.match?(name) }
        return false if @ports.empty?

        @ports.include?(port(context, socket_address))
      end

      def define_stoppers(condition)
        condition.description ||= "Apply a milter only to mail through certain listeners"
        condition.define_connect_stopper do |context, _host, socket_address|
          !include?(context, socket_address)
        end
      end

      private

      # The MTA's word, else the kernel's; nil where nobody knows.
      def port(context, socket_address)
        told = Integer(context["daemon_port"].to_s, 10, exception: false)
        return told if told&.positive?
        return 0 if without_smtp?(told, socket_address)

        found = socket_address.local_end
        found && found[1]
      end

      # MTAs tell of port 0 for what came without SMTP.  A client elsewhere came with SMTP: what
      # is not told of it is the port, as by XCLIENT or a proxy, and it must not pass for our own.
      def without_smtp?(told, socket_address)
        return true if socket_address.unix?

        address = AddressSet.of(socket_address)
        address ? address.loopback? && (told || socket_address.port).zero? : told == 0
      end
    end
  end
end
