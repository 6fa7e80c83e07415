# frozen_string_literal: true

require "ipaddr"

module Milter
  module Manager
    # The kernel's tables of TCP connections, /proc/net/tcp and tcp6: which local address a
    # client of this machine's MTA is connected to.
    class SocketTable
      FILES = %w[/proc/net/tcp /proc/net/tcp6].freeze

      # Established, and closed by the other side; what is only waiting out its time does not count.
      OPEN = %w[01 08].freeze

      class << self
        # What stands for the kernel's word where there is no connection: for --explain.
        attr_accessor :played
      end

      def initialize(files = FILES)
        @files = files
      end

      # The local [IPAddr, port] of the connection from this remote end; nil: there is none.
      def local_end(address, port)
        return self.class.played if self.class.played

        wanted = keys(address, port)
        @files.each do |file|
          each_line(file) do |line|
            _, local, remote, state = line.split(" ", 5)
            return decode(local) if wanted.include?(remote) && OPEN.include?(state)
          end
        end
        nil
      end

      private

      def each_line(file, &block)
        File.foreach(file, mode: "rb", &block)
      rescue SystemCallError
        nil # another system: there is no such table
      end

      # How the kernel writes the remote end: words of the machine's byte order in hexadecimal.
      def keys(address, port)
        texts = address.ipv4? ? [address, address.ipv4_mapped] : [address]
        texts.map { |each| format("%s:%04X", hex(each.hton), port) }
      end

      def hex(bytes)
        bytes.unpack("L*").map { |word| format("%08X", word) }.join
      end

      def decode(text)
        address, port = text.split(":")
        bytes = address.scan(/.{8}/).map { |word| word.to_i(16) }.pack("L*")
        [AddressSet.parse(IPAddr.new_ntoh(bytes)), port.to_i(16)]
      end
    end
  end
end
