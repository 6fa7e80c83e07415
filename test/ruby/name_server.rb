# frozen_string_literal: true

require "resolv"
require "socket"

# A name server on loopback, in a thread: answers by name, as a block says.
#
#   server = NameServer.new { |name| :nxdomain | :servfail | :silent | :garbage | [["127.0.0.2"], ttl] }
#   server = NameServer.new(tcp: ->(name) { … the same }) { |name| :truncated }
class NameServer
  A = Resolv::DNS::Resource::IN::A
  SOA = Resolv::DNS::Resource::IN::SOA

  attr_reader :asked, :port

  def initialize(address = "127.0.0.1", tcp: nil, &answers)
    @answers = answers
    @tcp_answers = tcp
    @asked = Queue.new
    open_sockets(address)
    @port = @socket.addr[1]
    @threads = [Thread.new { serve }, Thread.new { serve_tcp if @server }]
    @threads.each { |thread| thread.report_on_exception = false }
  end

  # The names that were asked so far.
  def names
    Array.new(@asked.size) { @asked.pop }
  end

  def close
    @threads.each { |thread| thread.kill.join }
    @socket.close
    @server&.close
  end

  private

  # TCP on the same port, if it is wanted.
  def open_sockets(address)
    @socket = UDPSocket.new(address.include?(":") ? :INET6 : :INET)
    @socket.bind(address, 0)
    @server = TCPServer.new(address, @socket.addr[1]) if @tcp_answers
  rescue Errno::EADDRINUSE
    @socket.close
    retry
  end

  def serve_tcp
    loop do
      client = @server.accept
      data = client.read(client.read(2).unpack1("n"))
      question = Resolv::DNS::Message.decode(data)
      name = question.question.first.first.to_s
      @asked << "#{name} over TCP"
      reply(question, name, @tcp_answers.call(name), client)
      client.close unless @tcp_answers.call(name) == :silent
    end
  end

  def serve
    loop do
      data, from = @socket.recvfrom(4096)
      question = Resolv::DNS::Message.decode(data)
      name = question.question.first.first.to_s
      @asked << name
      reply(question, name, @answers.call(name), from)
    end
  end

  def reply(question, name, answer, from)
    message = Resolv::DNS::Message.new(question.id)
    message.qr = 1
    message.add_question(name, A)
    case answer
    when :silent then return
    when :garbage then return send_bytes("\xc0\x0c".b * 20, from)
    when :looped then return send_bytes([question.id, 0x8180, 1, 1, 0, 0].pack("n6") + "\xc0\x0c\0\1\0\1".b * 2, from)
    when :other_name then send_answer(message_for(question.id, "evil.example"), ["127.0.0.2"], 60, from) && return
    when :other_id then send_answer(message_for(question.id ^ 1, name), ["127.0.0.2"], 60, from) && return
    when :truncated then return send_bytes([question.id, 0x8380, 1, 1, 0, 0].pack("n6") + question.encode.byteslice(12..) + "\xc0\x0c\0\1".b, from)
    when :giant then return send_answer(message, ["127.0.0.2"] * 3000, 60, from)
    when :nxdomain then message.rcode = 3
    when :servfail then message.rcode = 2
    when :soa
      message.rcode = 3
      message.add_authority("example.", 7, SOA.new(Resolv::DNS::Name.create("a."), Resolv::DNS::Name.create("b."), 1, 1, 1, 1, 9))
    else
      return send_answer(message, answer[0], answer[1], from)
    end
    send_bytes(message.encode, from)
  end

  def message_for(id, name)
    Resolv::DNS::Message.new(id).tap do |message|
      message.qr = 1
      message.add_question(name, A)
    end
  end

  def send_answer(message, addresses, ttl, from)
    addresses.each { |address| message.add_answer(message.question.first.first, ttl, A.new(address)) }
    send_bytes(message.encode, from)
  end

  def send_bytes(bytes, from)
    return from.write([bytes.bytesize].pack("n"), bytes) if from.is_a?(TCPSocket)

    @socket.send(bytes, 0, from[3], from[1])
  end
end
