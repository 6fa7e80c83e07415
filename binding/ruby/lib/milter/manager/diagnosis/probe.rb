# frozen_string_literal: true

require "socket"

module Milter
  module Manager
    class Diagnosis
      # Asks programs whether they listen and speak the milter protocol: connects, negotiates as
      # an MTA that offers everything, and quits.  All are asked side by side.
      class Probe
        DEADLINE = 2.0 # seconds, for all together
        VERSION = 6
        ACTIONS = 0x1ff
        STEPS = 0x1fffff
        PACKET_MAX = 65_536
        OFFER = [13, "O", VERSION, ACTIONS, STEPS].pack("Na1N3").freeze
        SILENT = "does not answer the negotiation"
        DENIED = "permission denied to this user"
        QUIT = [1, "Q"].pack("Na1").freeze

        # What came of it; MACROS: by stage, what it asked for.
        Result = Struct.new(:listening, :version, :actions, :steps, :macros, :error, keyword_init: true) do
          def answers?
            !version.nil?
          end

          # Whether this process may not even try.
          def denied?
            error == DENIED
          end

          # Whether it takes connections, and said nothing in time.
          def silent?
            listening && error.to_s.start_with?(SILENT)
          end
        end

        # One of them.
        class Talk
          attr_reader :socket, :result

          def initialize(spec)
            @spec = spec
            @result = Result.new(listening: false, macros: {})
            @input = +"".b
            @output = OFFER.dup
            start
          end

          def writing?
            !@output.empty?
          end

          def done?
            @socket.nil?
          end

          # The socket can be read or written.
          def go_on
            connect unless @result.listening
            return unless @result.listening

            writing? ? write : read
          rescue IO::WaitReadable, IO::WaitWritable
            nil
          rescue SystemCallError, IOError => error
            fail_with(reason(error))
          end

          def fail_with(text)
            @result.error ||= text
            close
          end

          def close
            @socket&.close
            @socket = nil
          end

          private

          def start
            @address = address
            @socket = Socket.new(@address.afamily, :STREAM)
            connect
          rescue IO::WaitWritable
            nil
          rescue SystemCallError, SocketError, ArgumentError => error
            fail_with(reason(error))
          end

          def address
            return Addrinfo.unix(@spec.path) if @spec.unix?

            host = @spec.everywhere? ? "127.0.0.1" : @spec.host
            Addrinfo.getaddrinfo(host, @spec.port, host.include?(":") ? :INET6 : :INET, :STREAM).first
          end

          def connect
            @socket.connect_nonblock(@address)
            @result.listening = true
          rescue Errno::EISCONN
            @result.listening = true
          end

          def write
            @output = @output.byteslice(@socket.write_nonblock(@output)..)
          end

          def read
            @input << @socket.read_nonblock(PACKET_MAX)
            size = @input.unpack1("N") if @input.bytesize >= 4
            return unless size
            return fail_with("its answer is no milter's: #{@input.byteslice(0, 40).inspect}") if size > PACKET_MAX || size.zero?

            take(@input.byteslice(4, size)) if @input.bytesize >= 4 + size
          end

          def take(packet)
            unless packet.start_with?("O".b) && packet.bytesize >= 13
              return fail_with("it answers the negotiation with #{packet.byteslice(0, 40).inspect}")
            end

            @result.version, @result.actions, @result.steps = packet.unpack("xN3")
            take_macros(packet.byteslice(13..))
            @socket.write_nonblock(QUIT)
            close
          end

          def take_macros(rest)
            until rest.bytesize < 5
              stage, list = rest.unpack("NZ*")
              rest = rest.byteslice(4 + list.bytesize + 1..) || ""
              @result.macros[MTA::STAGES[stage]] = MTA.macro_names(list) if MTA::STAGES[stage]
            end
          end

          def reason(error)
            case error
            when Errno::ENOENT then "there is no such file"
            when Errno::ECONNREFUSED then "connection refused"
            when Errno::EACCES then DENIED
            when EOFError then "it closes the connection during the negotiation"
            else error.message.sub(/ (@|-|for) .*/m, "").downcase
            end
          end
        end

        # @param specs [Array<SocketSpec>]
        # @return [Hash] SocketSpec#to_s => Result
        def self.ask(specs, deadline = DEADLINE)
          talks = specs.uniq(&:to_s).to_h { |spec| [spec.to_s, Talk.new(spec)] }
          end_at = now + deadline
          until (open = talks.each_value.reject(&:done?)).empty? || (rest = end_at - now) <= 0
            writing, reading = open.partition { |talk| talk.writing? || !talk.result.listening }
            ready = IO.select(reading.map(&:socket), writing.map(&:socket), nil, rest)
            ready&.first(2)&.flatten&.each { |socket| open.find { |talk| talk.socket == socket }&.go_on }
          end
          talks.transform_values { |talk| finish(talk, deadline) }
        end

        def self.finish(talk, deadline)
          unless talk.done?
            what = talk.result.listening ? SILENT : "cannot be connected to"
            talk.fail_with("#{what} within #{deadline.to_i} s")
          end
          talk.result
        end

        def self.now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end
        private_class_method :finish, :now
      end
    end
  end
end
