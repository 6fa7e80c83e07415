# frozen_string_literal: true

require "io/wait"
require "resolv"
require "socket"
require "milter/manager/dns_over_tcp"

module Milter
  module Manager
    # Asks name servers for the IPv4 addresses of several names side by side: one socket, all
    # questions at once, answers as they come.  It waits only in wait_readable, so that other
    # decisions go on.
    class DNSClient
      # What one name gave: addresses (strings; none: there is no such name), for how many
      # seconds that holds; error says why nothing is known.
      Answer = Struct.new(:addresses, :ttl, :error)

      PACKET_MAX = 65_535
      NEGATIVE_TTL = 300 # seconds, where the answer has no SOA

      # @param servers [Array<Array(String, Integer)>] address and port of each name server
      # @param timeout [Numeric] seconds for all
      def initialize(servers, timeout)
        @servers = servers.map { |address, port| Addrinfo.udp(address, port) }
        @timeout = timeout
      end

      # Yields each name with its Answer, in the order in which they come, as long as the
      # block returns true; what has not come in time comes last with an error.
      def each_answer(names)
        exchange = Exchange.new(names, @servers, @timeout)
        while (pair = exchange.next_answer)
          break unless yield(*pair)
        end
      ensure
        exchange&.close
      end

      # One batch of questions on its way.
      class Exchange
        def initialize(names, servers, timeout)
          @servers = servers
          @questions = names.uniq.to_h { |name| [fresh_id, Question.new(name, [])] }
          @ready = []
          @deadline = now + timeout
          @interval = [timeout / (2.0 * servers.size), 0.2].max
          @turn = -1
          @socket = open_socket
          ask_next
        end

        Question = Struct.new(:name, :errors)

        # [name, Answer]; nil when all were given.
        def next_answer
          loop do
            return @ready.shift if @ready.any?
            return nil if @questions.empty?
            return give_up if now >= @deadline

            receive || wait
          end
        end

        def close
          @socket&.close
        end

        private

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end

        def fresh_id
          @ids ||= []
          id = Random.rand(0x10000) while id.nil? || @ids.include?(id)
          @ids << id
          id
        end

        # One socket for all servers; with both families an IPv6 socket, which reaches IPv4
        # servers under their mapped addresses.
        def open_socket
          @mixed = @servers.any?(&:ipv6?)
          socket = Socket.new(@mixed ? :INET6 : :INET, :DGRAM)
          socket.setsockopt(:IPV6, :V6ONLY, false) if @mixed
          socket
        end

        def mapped(server)
          return server unless @mixed && server.ipv4?

          Addrinfo.udp("::ffff:#{server.ip_address}", server.ip_port)
        end

        # Ask the next server in turn for all that is still open.
        def ask_next
          @turn += 1
          @ask_at = now + @interval
          server = mapped(@servers[@turn % @servers.size])
          @questions.each do |id, question|
            @socket.sendmsg_nonblock(packet(id, question.name), 0, server, exception: false)
          end
        rescue SystemCallError => error
          @questions.each_value { |question| question.errors << error.message }
        end

        def packet(id, name)
          message = Resolv::DNS::Message.new(id)
          message.rd = 1
          message.add_question(name, Resolv::DNS::Resource::IN::A)
          message.encode
        end

        def wait
          left = [@ask_at, @deadline].min - now
          return if left.positive? && @socket.wait_readable(left)

          ask_next if now >= @ask_at && now < @deadline
        end

        # Take one packet; nil: there is none.
        def receive
          data, from = @socket.recvfrom_nonblock(PACKET_MAX, exception: false)
          return nil if data == :wait_readable

          server = @servers.find { |each| same?(mapped(each), from) }
          take(data, server) if server
          true
        rescue SystemCallError
          nil
        end

        def same?(server, from)
          server.ip_port == from.ip_port && server.ip_address == from.ip_address
        end

        # Anything but an answer to a question of ours is ignored.
        def take(data, server)
          return ask_again(data.unpack1("n"), server) if truncated?(data)

          message = Resolv::DNS::Message.decode(data)
          question = @questions[message.id]
          return unless question && message.qr == 1 && answers?(message, question.name)

          answer = Response.new(message).answer
          if answer.error
            refuse(message.id, question, answer)
          else
            finish(message.id, answer)
          end
        rescue Resolv::DNS::DecodeError, ArgumentError, EncodingError
          nil
        end

        # An answer that is longer than its packet.
        def truncated?(data)
          data.bytesize >= 12 && (data.getbyte(2) & 0x82) == 0x82
        end

        # Over TCP; the others' answers wait meanwhile, so it may take no longer than a turn.
        def ask_again(id, server)
          question = @questions[id] or return
          data = DNSOverTCP.ask(server, packet(id, question.name), [@interval, @deadline - now].min)
          if data && !truncated?(data)
            take(data, server)
          else
            refuse(id, question, Answer.new([], 0, "the answer is truncated, and TCP to #{server.ip_address} fails"))
          end
        end

        def answers?(message, name)
          asked, type = message.question.first
          type == Resolv::DNS::Resource::IN::A &&
            asked.to_s.b.casecmp?(name.b.chomp("."))
        end

        # A server cannot tell: the others may.
        def refuse(id, question, answer)
          question.errors << answer.error
          if question.errors.size >= @servers.size
            finish(id, answer)
          else
            @ask_at = now
          end
        end

        def finish(id, answer)
          @ready << [@questions.delete(id).name, answer]
        end

        def give_up
          id, question = @questions.first
          finish(id, Answer.new([], 0, question.errors.last || "no answer in time"))
          @ready.shift
        end
      end

      # What a message says.
      class Response
        A = Resolv::DNS::Resource::IN::A
        SOA = Resolv::DNS::Resource::IN::SOA
        RCODES = { 1 => "FORMERR", 2 => "SERVFAIL", 4 => "NOTIMP", 5 => "REFUSED" }.freeze

        def initialize(message)
          @message = message
        end

        def answer
          case @message.rcode
          when Resolv::DNS::RCode::NoError then addresses
          when Resolv::DNS::RCode::NXDomain then nothing
          else Answer.new([], 0, RCODES.fetch(@message.rcode) { "error #{@message.rcode}" })
          end
        end

        private

        def addresses
          found = @message.answer.select { |_, _, data| data.is_a?(A) }
          return nothing if found.empty?

          ttl = @message.answer.map { |_, seconds, _| seconds }.min
          Answer.new(found.map { |_, _, data| data.address.to_s }, ttl)
        end

        def nothing
          _, seconds, soa = @message.authority.find { |_, _, data| data.is_a?(SOA) }
          Answer.new([], soa ? [seconds, soa.minimum].min : NEGATIVE_TTL)
        end
      end
    end
  end
end
