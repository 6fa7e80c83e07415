# frozen_string_literal: true

require "socket"

# An SMTP server that takes everything and keeps it: the end of all deliveries.
class Sink
  Delivery = Struct.new(:from, :rcpts, :data)

  attr_reader :port

  def initialize(port)
    @port = port
    @server = TCPServer.new("127.0.0.1", port)
    @mutex = Mutex.new
    @deliveries = []
    @thread = Thread.new { accept_all }
    @thread.report_on_exception = false
  end

  # What has come since the last call.
  def take = @mutex.synchronize { @deliveries.slice!(0..) }

  def close
    @thread.kill
    @server.close
  end

  private

  def accept_all
    loop do
      socket = @server.accept
      thread = Thread.new { serve(socket) }
      thread.report_on_exception = false
    end
  end

  def serve(socket)
    socket.binmode
    socket.write("220 sink.example.org ESMTP\r\n")
    delivery = Delivery.new(nil, [], nil)
    while (line = read_line(socket))
      line = line.chomp("\r\n")
      case line
      when /\AEHLO/i then socket.write("250-sink.example.org\r\n250-8BITMIME\r\n250-SIZE\r\n250 DSN\r\n")
      when /\AMAIL FROM:/i
        delivery = Delivery.new($', [], nil)
        ok(socket)
      when /\ARCPT TO:/i
        delivery.rcpts << $'
        ok(socket)
      when /\ADATA/i
        socket.write("354 go on\r\n")
        delivery.data = read_data(socket)
        @mutex.synchronize { @deliveries << delivery }
        ok(socket)
      when /\AQUIT/i
        socket.write("221 bye\r\n")
        break
      else ok(socket)
      end
    end
  rescue SystemCallError, IOError
    nil
  ensure
    socket.close
  end

  # Acknowledges at once: MTAs write a message in several pieces.
  def read_line(socket)
    socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_QUICKACK, 1)
    socket.gets("\r\n")
  end

  def ok(socket) = socket.write("250 ok\r\n")

  # The bytes up to the dot, without it and without dot stuffing.
  def read_data(socket)
    data = String.new(encoding: Encoding::BINARY)
    while (line = read_line(socket))
      return data if line == ".\r\n"

      data << (line.start_with?(".") ? line[1..] : line)
    end
    data
  end
end
