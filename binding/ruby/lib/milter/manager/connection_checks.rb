# frozen_string_literal: true

module Milter
  module Manager
    # What manager.define_connection_checker's block is given: the connection of an SMTP client.
    class ConnectionContext
      def initialize(facts)
        @session = Session.new
        @session.take(facts)
      end

      def smtp_client_address
        @session.address
      end

      # Of the interface, where the MTA tells it; else unknown.
      def smtp_server_address
        address = self["daemon_addr"] || self["if_addr"]
        return SocketAddress::Unknown.new unless address

        address = address.delete_prefix("IPv6:")
        SocketAddress.make(address.include?(":") ? "6" : "4", address, self["daemon_port"].to_i)
      end

      # The host name of the MTA.
      def smtp_server_name
        self["j"] || self["if_name"]
      end

      def [](macro)
        @session.macro(macro)
      end

      def inspect
        "connection of #{smtp_client_address}"
      end
    end

    # Runs the checkers over the clients of sessions that wait.
    class ConnectionChecks
      # @param checkers [Hash{String => Hooks::Hook}]
      def initialize(checkers)
        @checkers = checkers.values
      end

      # @param clients [Array] [session, packets of CONNECT and its macros]
      # @return [Array] the sessions whose client is gone, as one of the checkers says
      def gone(clients)
        clients.filter_map do |session, facts|
          context = ConnectionContext.new(facts)
          session unless @checkers.all? { |checker| checker.call(context) }
        end
      end
    end

    # manager.netstat_connection_checker: looks one client up, for checkers of one's own.  The
    # manager's own look, of all clients at once, is manager.connection_check_interval.
    class NetstatConnectionChecker
      # Whether the client is connected to this machine; true where that cannot be known.
      def connected?(context)
        address = context.smtp_client_address
        ip = AddressSet.of(address)
        return true unless ip && address.port.to_i.positive?

        !SocketTable.local_end(ip, address.port).nil?
      end

      alias call connected?
    end
  end
end
