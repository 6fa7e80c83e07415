# frozen_string_literal: true

# Both ends of the protocol in a few lines: a child that writes down what it sees, and an MTA.
require "socket"

# Packets over a socket.
module Packets
  def send_packet(socket, command, payload = "")
    socket.write([payload.bytesize + 1, command, payload.b].pack("Na1a*"))
  end

  # [command, payload], nil at the end.
  def read_packet(socket)
    head = socket.read(5) or return nil
    size, command = head.unpack("Na1")
    [command, size > 1 ? socket.read(size - 1) : "".b]
  end
end

# A child on a free port.  Answers continue, or what ANSWERS says for a command; nil: nothing.
class Child
  include Packets

  attr_reader :name, :port
  attr_accessor :answers

  # STEPS: SMFIP_* bits of its answer to the offer.
  def initialize(name, steps: 0)
    @name = name
    @steps = steps
    @answers = {}
    @seen = []
    @threads = []
    @server = TCPServer.new("127.0.0.1", 0)
    @port = @server.addr[1]
    @thread = Thread.new { loop { serve(@server.accept) } }
    @thread.report_on_exception = false
  end

  # What came, without negotiation and macros: "C", "H", "M <a@b>", "L name: value", …
  def seen
    @seen.grep_v(/\AD/)
  end

  # Macros of a command that came, all sessions: { "name" => "value" }.
  def macros(command)
    @seen.grep(/\AD#{command}/).flat_map { |line| line[2..].split("\0").each_slice(2).to_a }.to_h
  end

  def clear
    @seen.clear
  end

  # Whether the end of all sessions so far has come.
  def idle?
    @threads.reject! { |thread| !thread.alive? }
    @threads.empty?
  end

  # What was asked last, and not answered.
  def reply(answer)
    send_packet(@last, answer)
  end

  def close
    @thread.kill
    @server.close
  end

  private

  def serve(socket)
    @threads << Thread.new do
      while (packet = read_packet(socket))
        command, payload = packet
        @last = socket
        take(socket, command, payload)
        break if command == "Q"
      end
      socket.close
    rescue SystemCallError, IOError
      nil
    end
  end

  def take(socket, command, payload)
    case command
    when "O" then return send_packet(socket, "O", [6, 0x1ff, @steps].pack("NNN"))
    when "D" then @seen << "D#{payload}"
    else @seen << [command, describe(command, payload)].reject(&:empty?).join(" ")
    end
    answer = @answers.fetch(command, "c")
    send_packet(socket, answer) if answer && !"DAQK".include?(command)
  end

  def describe(command, payload)
    case command
    when "M", "R", "H" then payload.split("\0").first
    when "L" then payload.split("\0", -1)[0, 2].join(": ")
    when "B" then payload
    else ""
    end
  end
end

# The MTA's side of one connection.
class Mta
  include Packets

  REPLIES = "crtadyhsqf"

  attr_reader :socket, :steps

  def initialize(port, offer: 0)
    @socket = TCPSocket.new("127.0.0.1", port)
    @socket.setsockopt(:TCP, :NODELAY, true)
    send_packet(@socket, "O", [6, 0x1ff, offer].pack("NNN"))
    answer = read_packet(@socket) or raise Failed, "no answer to the offer"
    @steps = answer.last.unpack("NNN")[2]
  end

  def macros(command, **values)
    text = values.map { |name, value| "#{name.length == 1 ? name : "{#{name}}"}\0#{value}\0" }.join
    send_packet(@socket, "D", command + text)
  end

  # Send, and give the reply: one letter.
  def command(command, payload = "")
    send_packet(@socket, command, payload)
    reply
  end

  def reply
    loop do
      raise Failed, "no reply" unless @socket.wait_readable(DEADLINE)

      packet = read_packet(@socket) or raise Failed, "the manager hung up"
      return packet.first if REPLIES.include?(packet.first)
    end
  end

  def connect(host = "mail.example.com", address = "192.0.2.1", port = 25_000)
    family = address.include?(":") ? "6" : "4"
    command("C", "#{host}\0#{family}#{[port].pack('n')}#{address}\0")
  end

  def helo(name = "client.example.com")
    command("H", "#{name}\0")
  end

  def mail(sender = "<from@example.com>", *parameters)
    command("M", [sender, *parameters, ""].join("\0"))
  end

  def rcpt(recipient = "<to@example.net>", *parameters)
    command("R", [recipient, *parameters, ""].join("\0"))
  end

  def data = command("T")
  def header(name, value) = command("L", "#{name}\0#{value}\0")
  def eoh = command("N")
  def body(text) = command("B", text)
  def eom = command("E")
  def abort = send_packet(@socket, "A")

  # Connect to end of message; the replies as one word.
  def message(recipients: ["<to@example.net>"], headers: [%w[Subject test]], body: "Hello.\r\n")
    replies = [mail]
    recipients.each { |each| replies << rcpt(each) }
    replies << data
    headers.each { |name, value| replies << header(name, value) }
    replies << eoh << self.body(body) << eom
    replies.join
  end

  def quit
    send_packet(@socket, "Q")
    @socket.close
  end
end
