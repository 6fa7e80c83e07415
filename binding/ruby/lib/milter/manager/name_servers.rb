# frozen_string_literal: true

module Milter
  module Manager
    # Which name servers to ask: those given, or the system's.
    module NameServers
      PORT = 53
      SYSTEM_FILE = "/etc/resolv.conf"

      module_function

      # [address, port] of "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53" or a pair;
      # nil when it is none of them.
      def parse(object)
        text, port = object.is_a?(Array) ? object : split(object)
        address = AddressSet.parse(text)
        return nil unless address && single?(address)
        return nil unless port.is_a?(Integer) && port.between?(1, 65_535)

        [address.to_s, port]
      end

      # What resolv.conf names; the local host, where it names none.
      def of_system(file = SYSTEM_FILE)
        found = File.binread(file).scan(/^\s*nameserver\s+(\S+)/n).filter_map { |(text)| parse(text) }
        found.empty? ? [["127.0.0.1", PORT]] : found
      rescue SystemCallError
        [["127.0.0.1", PORT]]
      end

      def split(object)
        return [nil, nil] unless object.is_a?(String)

        case object
        when /\A\[([^\]]+)\](?::(\d+))?\z/, /\A([\d.]+)(?::(\d+))?\z/
          [Regexp.last_match(1), (Regexp.last_match(2) || PORT).to_i]
        else [object, PORT]
        end
      end

      def single?(address)
        address.prefix == (address.ipv4? ? 32 : 128)
      end
    end
  end
end
