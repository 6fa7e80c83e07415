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

        number = address.to_i
        bits = address.ipv4? ? 32 : 128
        by_family[bits].any? { |length, starts| starts.key?(number >> (bits - length)) }
      end

      private

      def by_family
        @by_family ||= @networks.each_with_object({ 32 => {}, 128 => {} }) do |network, families|
          bits = network.ipv4? ? 32 : 128
          starts = (families[bits][network.prefix] ||= {})
          starts[network.to_i >> (bits - network.prefix)] = true
        end
      end
    end
  end
end
