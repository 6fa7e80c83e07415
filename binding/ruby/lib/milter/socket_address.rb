# frozen_string_literal: true

require "ipaddr"

module Milter
  # Where an SMTP client is, as conditions see it.
  module SocketAddress
    # The address of a family of the protocol: "4", "6", "L" or "U".
    def self.make(family, address, port)
      case family
      when "4" then IPv4.new(address, port)
      when "6" then IPv6.new(address, port)
      when "L" then Unix.new(address)
      else Unknown.new
      end
    end

    # What all kinds answer.
    class Base
      def ipv4? = false
      def ipv6? = false
      def unix? = false
      def unknown? = false
      def local? = false
      def to_ip_address = nil
      def address = nil
      def port = nil

      # Where the client is connected to on this machine, [address, port], as the kernel knows it;
      # nil: nowhere.
      def local_end = nil

      # Of the address: 32 or 128, and as a number; nil where there is none.  An IPv4 address in an
      # IPv6 form is the IPv4 address.
      def bits = nil
      def number = nil

      def ==(other)
        other.class == self.class && other.to_s == to_s
      end
      alias eql? ==

      def hash
        to_s.hash
      end

      def inspect
        "#<#{self.class} #{self}>"
      end
    end

    # An address and a port of the internet.
    class Internet < Base
      attr_reader :address, :port

      def initialize(address, port)
        super()
        @address = address
        @port = port
      end

      # An IPAddr, or nil when the MTA sent something that is none.
      def to_ip_address
        @to_ip_address ||= IPAddr.new(address)
      rescue IPAddr::Error
        nil
      end

      # Looked up once: a session has one such object.
      def local_end
        return @local_end if defined?(@local_end)

        @local_end = Manager::SocketTable.local_end(address, port)
      end

      def to_s
        "#{self.class::SCHEME}:#{port}@[#{address}]"
      end

      # Whether it is an address of one's own machine or network.
      def local?
        ip = to_ip_address
        !ip.nil? && self.class::LOCAL.any? { |network| network.include?(ip) }
      end
    end

    # IPv4: local are the loopback and the private networks of RFC 1918.
    class IPv4 < Internet
      SCHEME = "inet"
      LOCAL = %w[127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16].map { |n| IPAddr.new(n) }.freeze

      def ipv4? = true

      def bits
        number && 32
      end

      # IPAddr reads text slowly.
      def number
        @number ||= Manager::Native.ipv4(address)
      end

      def to_ip_address
        @to_ip_address ||= number && IPAddr.new(number, Socket::AF_INET)
      end
    end

    # IPv6: local are the loopback and link-local addresses.
    class IPv6 < Internet
      SCHEME = "inet6"
      LOCAL = %w[::1/128 fe80::/10].map { |network| IPAddr.new(network) }.freeze

      def ipv6? = true

      def bits
        native && (native.ipv4? ? 32 : 128)
      end

      def number
        native&.to_i
      end

      private

      def native
        @native ||= Manager::AddressSet.of(self)
      end
    end

    # A client on this machine.
    class Unix < Base
      attr_reader :path

      def initialize(path)
        super()
        @path = path
      end

      def unix? = true
      def local? = true

      def to_s
        "unix:#{path}"
      end
    end

    # The MTA did not say.
    class Unknown < Base
      def unknown? = true

      def to_s
        "unknown"
      end
    end
  end
end
