# frozen_string_literal: true

require_relative "list"

# One scenario of the differential test: which children, what they do, what the SMTP client says.
#
#   scenario "reject at rcpt" do
#     list "1:t 2:t"
#     child 1, "rcpt nth=1 reject"
#     dialogue { ehlo; mail; rcpt "a@example.net"; rcpt "b@example.net"; data; quit }
#   end
#
# Without `list` there is one child with tempfail; without `dialogue` one small message is sent.
class Scenario
  MESSAGE = "From: Sender <sender@example.com>\r\nTo: user@example.net\r\nSubject: test\r\n" \
            "Date: Sat, 22 Nov 2025 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n" \
            "Hello.\r\n"

  attr_reader :name, :scripts, :steps, :accepted

  @all = []
  class << self
    attr_reader :all
  end

  def initialize(name, &block)
    @name = name
    @list = List.new("1:t")
    @mtas = %w[postfix sendmail]
    @scripts = Hash.new { |hash, key| hash[key] = [] }
    @accepted = {}
    instance_eval(&block) if block
    @steps ||= Dialogue.new.tap(&:one_message).steps
  end

  def list(key = nil)
    @list = List.new(key) if key
    @list
  end

  # Rules for a child (see milters/script.h).
  def child(number, *lines) = @scripts[number].concat(lines.flat_map { |line| line.split("\n") }.map(&:strip))

  # The same rules for all children of the list.
  def every_child(*lines) = @list.numbers.each { |number| child(number, *lines) }

  def only(*names) = @mtas = names.map(&:to_s)

  # A difference that no proxy can avoid: a heading of doc/DIFFERENCES.md, for the named MTAs.
  def accept(heading, *mtas)
    (mtas.empty? ? @mtas : mtas.map(&:to_s)).each { |mta| @accepted[mta] = heading }
  end

  def dialogue(&block) = @steps = Dialogue.new.tap { |it| it.instance_eval(&block) }.steps

  def for?(mta_name) = @mtas.include?(mta_name) && (mta_name != "sendmail" || @list.sendmail?)

  # Everything that is needed to play it again, as text.
  def to_s
    scripts = @scripts.sort.flat_map { |n, lines| lines.map { |line| "child #{n}: #{line}" } }
    steps = @steps.map { |op, arg| "client: #{op} #{arg.to_s.size > 300 ? "#{arg[0, 300].inspect}..." : arg.inspect}" }
    ["list #{@list.key}", *scripts, *steps].join("\n")
  end

  # Writes the steps of a dialogue (see Client).
  class Dialogue
    attr_reader :steps

    def initialize = @steps = []

    def cmd(line) = @steps << [:cmd, line]
    def ehlo(name = "client.example.com") = cmd("EHLO #{name}")
    def helo(name = "client.example.com") = cmd("HELO #{name}")
    def mail(from = "sender@example.com", *params) = cmd(["MAIL FROM:<#{from}>", *params].join(" "))
    def rcpt(to = "user@example.net", *params) = cmd(["RCPT TO:<#{to}>", *params].join(" "))
    def data(message = MESSAGE) = @steps << [:data, message]
    def cut_data(bytes) = @steps << [:cut_data, bytes]
    def rset = cmd("RSET")
    def quit = cmd("QUIT")
    def drop = @steps << [:drop]
    def starttls = @steps << [:starttls]
    def raw(bytes) = @steps << [:raw, bytes]
    def read = @steps << [:read]

    # A whole transaction.
    def transaction(message = MESSAGE, from: "sender@example.com", to: ["user@example.net"])
      mail(from)
      Array(to).each { |address| rcpt(address) }
      data(message)
    end

    def one_message(message = MESSAGE, **options)
      ehlo
      transaction(message, **options)
      quit
    end
  end
end

def scenario(name, &block) = Scenario.all << Scenario.new(name, &block)

# A message with these header fields (name => value, or lines) after the usual ones.
def message(fields = {}, body: "Hello.\r\n")
  head = Scenario::MESSAGE.split("\r\n\r\n").first
  more = fields.map { |name, value| "#{name}: #{value}\r\n" }.join
  "#{head}\r\n#{more}\r\n#{body}"
end
