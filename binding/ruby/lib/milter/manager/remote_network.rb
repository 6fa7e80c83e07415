# frozen_string_literal: true

module Milter
  module Manager
    # Which clients are in networks of one's own.
    class RemoteNetwork < Tunable
      # Loopback, private use (RFC 1918, RFC 4193) and link-local.
      LOCAL = %w[127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16
                 ::1 fc00::/7 fe80::/10].freeze

      def initialize
        super("remote_network")
        @local = AddressSet.new(*LOCAL)
        @remote = AddressSet.new
      end

      # @param address [String, IPAddr] an address or a network that is local, too
      def add_local_address(address)
        add(@local, :add_local_address, address)
      end

      # The same for one that is remote; remote wins.
      def add_remote_address(address)
        add(@remote, :add_remote_address, address)
      end

      # Whether a client is remote.  One of an unknown family is neither remote nor local.
      def remote?(socket_address)
        bits = socket_address&.bits
        return false unless bits

        number = socket_address.number
        @remote.covers?(bits, number) || !@local.covers?(bits, number)
      end

      # Whether a client is local; a unix socket is.
      def local?(socket_address)
        return false unless socket_address

        socket_address.bits ? !remote?(socket_address) : socket_address.unix?
      end

      private

      def add(set, method, text)
        network = AddressSet.parse(text)
        wrong(method, text, "an IP address or network such as 192.0.2.0/24") unless network
        set.add(network)
        note(method, network)
      end
    end

    AddressMatcher = RemoteNetwork # 2.x's name for it
  end
end
