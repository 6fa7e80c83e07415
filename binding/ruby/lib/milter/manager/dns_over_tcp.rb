# frozen_string_literal: true

require "io/wait"
require "socket"

module Milter
  module Manager
    # One question to a name server over TCP, for an answer that was too long for a packet.
    class DNSOverTCP
      # What the server answers to the bytes of a question within SECONDS; nil when it does not.
      def self.ask(server, question, seconds)
        new(server, seconds).ask(question)
      rescue SystemCallError, IOError
        nil
      end

      def initialize(server, seconds)
        @server = server
        @end_at = now + seconds
      end

      def ask(question)
        socket = Socket.tcp(@server.ip_address, @server.ip_port, connect_timeout: left)
        socket.write([question.bytesize].pack("n"), question)
        size = read(socket, 2)
        size && read(socket, size.unpack1("n"))
      ensure
        socket&.close
      end

      private

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      def left
        [@end_at - now, 0.001].max
      end

      # Exactly SIZE bytes; nil when the server ends or is silent before.
      def read(socket, size)
        data = "".b
        while data.bytesize < size
          chunk = socket.read_nonblock(size - data.bytesize, exception: false)
          return nil if chunk.nil?

          if chunk == :wait_readable
            return nil unless now < @end_at && socket.wait_readable(left)
          else
            data << chunk
          end
        end
        data
      end
    end
  end
end
