# frozen_string_literal: true

require "socket"

# Plays an SMTP dialogue, step by step, and keeps the replies.  A step is an array:
#
#   [:cmd, "EHLO x"]      a line and its reply
#   [:data, bytes]        DATA and, after 354, the message (dots are stuffed) and the final dot
#   [:raw, bytes]         bytes, no reply is read
#   [:cut_data, bytes]    DATA and, after 354, these bytes; no dot
#   [:read]               read one reply
#   [:drop]               close our side, wait until the server has closed
#   [:starttls]           STARTTLS and the handshake
class Client
  TIMEOUT = (ENV["E2E_REPLY_TIMEOUT"] || 60).to_i

  attr_reader :replies

  def initialize(port)
    @socket = TCPSocket.new("127.0.0.1", port)
    @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    @raw = @socket
    @buffer = String.new(encoding: Encoding::BINARY)
    @replies = []
  end

  # Play all steps; always ends with the connection closed by both sides.
  def play(steps)
    reply("connection")
    steps.each do |name, argument|
      break if @closed

      send("step_#{name}", argument)
    end
    finish
    @replies
  ensure
    @raw.close
  end

  private

  def step_cmd(line)
    write("#{line}\r\n")
    reply(line)
  end

  def step_raw(bytes) = write(bytes)

  def step_read(_) = reply("")

  def step_data(message)
    step_cmd("DATA")
    return unless @replies.last[1].start_with?("354")

    write("#{stuff(message)}.\r\n")
    reply("message")
  end

  def step_cut_data(bytes)
    step_cmd("DATA")
    write(bytes) if @replies.last[1].start_with?("354")
  end

  def step_drop(_)
    @raw.close_write
    @dropped = true
  rescue SystemCallError
    @dropped = true
  end

  def step_starttls(_)
    step_cmd("STARTTLS")
    return unless @replies.last[1].start_with?("220")

    require "openssl"
    context = OpenSSL::SSL::SSLContext.new
    context.verify_mode = OpenSSL::SSL::VERIFY_NONE
    @socket = OpenSSL::SSL::SSLSocket.new(@socket, context)
    @socket.connect
  end

  # Bare CR and LF go out as they are; the last line is ended, else the dot would not be alone.
  def stuff(message)
    text = message.b
    text = ".#{text}" if text.start_with?(".")
    text << "\r\n" unless text.empty? || text.end_with?("\r\n")
    text.gsub("\r\n.", "\r\n..")
  end

  def write(bytes)
    @socket.write(bytes)
  rescue SystemCallError
    @closed = true
  end

  def reply(label)
    lines = []
    loop do
      line = read_line
      if line.nil?
        @closed = true
        lines << "(closed)"
        break
      end
      lines << line
      break unless line =~ /\A\d{3}-/
    end
    @replies << [label, lines.join("\n")]
  end

  def read_line
    until (at = @buffer.index("\r\n"))
      part = read_some
      return nil if part.nil?

      @buffer << part
    end
    @buffer.slice!(0, at + 2).chomp("\r\n")
  end

  def read_some
    raise "no reply from the server after #{TIMEOUT} s" unless readable?

    @socket.readpartial(65_536)
  rescue EOFError, SystemCallError
    nil
  end

  def readable?
    return true if @socket != @raw && @socket.pending.positive?

    @raw.wait_readable(TIMEOUT)
  end

  # The server has nothing more to say and is gone.
  def finish
    step_drop(nil) unless @dropped || @closed
    rest = @buffer.dup
    while (part = read_some)
      rest << part
    end
    @replies << ["(after the end)", rest] unless rest.empty?
  end
end
