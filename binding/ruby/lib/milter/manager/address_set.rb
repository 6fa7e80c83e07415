# frozen_string_literal: true

require "ipaddr"

module Milter
  module Manager
    # A set of IP addresses and networks, and how addresses are read from text.
    class AddressSet
      class << self
        # The IPAddr in TEXT ("192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "[::1]"), or nil.
        # An IPv4 address in an IPv6 form is the IPv4 address.
        def parse(text)
          return native(text) if text.is_a?(IPAddr)

          text = text.to_s.b.strip.sub(%r{\A\[(.*)\](/\d+)?\z}m, "\\1\\2").sub(/\AIPv6:/i, "").sub(/%[^\/]*/, "")
          return nil unless text.match?(%r{\A[0-9A-Fa-f:.]+(?:/[0-9.]+)?\z})

          native(IPAddr.new(text))
        rescue IPAddr::Error
          nil
        end

        # The IPAddr of a block's socket_address, or nil: a unix socket, an unknown family.
        # An IPv4 address in an IPv6 form is the IPv4 address.
        def of(socket_address)
          return nil unless socket_address

          address = socket_address.to_ip_address
          address && native(address)
        end

        # "192.0.2.0/24"; without the prefix when it is one address.
        def text(network)
          full = network.ipv4? ? 32 : 128
          network.prefix == full ? network.to_s : "#{network}/#{network.prefix}"
        end

        private

        def native(address)
          return address unless address.ipv6? && address.ipv4_mapped?

          prefix = address.prefix
          prefix >= 96 ? address.native.mask(prefix - 96) : address
        end
      end

      attr_reader :networks

      def initialize(*networks)
        @networks = networks.map { |network| self.class.parse(network) }
        @by_family = nil
      end

      # @param network [IPAddr]
      def add(network)
        @networks << network
        @by_family = nil
        self
      end

      def clear
        @networks.clear
        @by_family = nil
      end

      def empty?
        @networks.empty?
      end

      # Whether ADDRESS, an IPAddr or nil, is in one of the networks.  A look-up by prefix
      # length: a list of 100,000 addresses costs no more than one of ten.
      def include?(address)
        return false unless address

        covers?(address.ipv4? ? 32 : 128, address.to_i)
      end

      # The same for an address as SocketAddress has it: its length in bits, its number.
      def covers?(bits, number)
        by_family[bits].each { |shift, starts| return true if starts.key?(number >> shift) }
        false
      end

      private

      # By the address's bits: [bits that do not count, { the others => true }] of each prefix length.
      def by_family
        @by_family ||= { 32 => by_shift(32), 128 => by_shift(128) }
      end

      def by_shift(bits)
        @networks.select { |network| network.ipv4? == (bits == 32) }.group_by { |network| bits - network.prefix }
                 .map { |shift, networks| [shift, networks.to_h { |network| [network.to_i >> shift, true] }] }
      end
    end
  end
end
