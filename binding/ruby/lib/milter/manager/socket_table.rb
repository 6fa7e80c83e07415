# frozen_string_literal: true

module Milter
  module Manager
    # The TCP connections of this machine as the kernel knows them: which local address a client
    # of this machine's MTA is connected to.
    module SocketTable
      class << self
        # What stands for the kernel's word where there is no connection: for --explain.
        attr_accessor :played

        # The local [address, port] of the connection from this remote end; nil: there is none,
        # as for clients that a proxy told the MTA of.
        # @param address [String, IPAddr, nil]
        def local_end(address, port)
          return played if played

          address = AddressSet.parse(address)
          address && port&.between?(1, 65_535) ? Native.local_end(address.to_s, port) : nil
        end
      end
    end
  end
end
