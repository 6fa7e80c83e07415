# frozen_string_literal: true

# Asks a running manager for accounts from outside: what the tests of them share.
require_relative "harness"
require_relative "milter"
require_relative "servers"

# A manager that looks every recipient up in accounts("staff"), whose sources are SOURCES, or
# otherwise by LOOK_UP, with SOURCES before it.
class Asker
  attr_reader :daemon, :box

  ACCOUNTS = 'recipient.start_with?("<ip:") ? accounts("staff")[recipient[4..-2]] : accounts("staff")[recipient]'

  def initialize(box, sources, look_up: nil, fallback: ":temporary_failure", workers: 1)
    @box = box
    @child = Child.new("a")
    box.configure(<<~CONF, workers: workers)
      log.level = "all"
      #{look_up ? sources : "accounts(\"staff\") { |source| #{sources} }"}
      define_applicable_condition("ask") do |condition|
        condition.fallback = #{fallback}
        condition.define_envelope_recipient_stopper do |_context, recipient|
          found = #{look_up || ACCOUNTS}
          Milter::Logger.info("recipient=\#{recipient.b.dump} found=\#{found.inspect}")
          found.nil?
        end
      end
      define_milter("a") { |m| m.connection_spec = "inet:#{@child.port}@127.0.0.1"; m.applicable_conditions = ["ask"] }
    CONF
    @daemon = box.start.started
  end

  # What is found for each, in one session; :failed where the condition failed.
  def ask(*recipients)
    mta = Mta.new(@box.port)
    mta.connect
    mta.helo
    mta.mail
    recipients.map { |recipient| answer(mta.rcpt("<#{recipient}>".b), recipient) }
  ensure
    mta&.quit
  end

  def errors
    @daemon.output.scan(/ error: .*failed="(.*?)" fallback/).flatten
  end

  def close
    same(0, @daemon.stop)
    left = @daemon.output.scan(/ worker-\d+ (?:critical|error): (?!session=).*/)
    same([], left)
  ensure
    @child.close
  end

  private

  def answer(reply, recipient)
    return :failed if "ty".include?(reply)

    line = @daemon.output.b.scan(/recipient=#{Regexp.escape("<#{recipient}>".b.dump)} found=(.*)$/n).flatten.last
    raise Failed, "#{recipient}: #{@daemon.output}" unless line

    line == "nil" ? nil : line.scan(/"((?:\\.|[^"\\])*)"/).flatten
  end
end

def asking(box, sources, **options)
  asker = Asker.new(box, sources, **options)
  yield asker
  asker.close
end

# One server of each kind for the whole program.
$servers = {}

def server(kind, *arguments)
  $servers[kind] ||= kind.new(*arguments)
end

def server?(kind)
  $servers.key?(kind)
end

# A scenario that needs a server.
def with_server(name, kind, *arguments)
  return skip(name, kind.missing) if kind.missing

  scenario(name) { |box| yield box, server(kind, *arguments) }
end

def with_program(name, program)
  found = Server.program(program)
  found ? scenario(name) { |box| yield box } : skip(name, "#{program} is not installed")
end

# A database of SQL with three users.
TABLE = "create table users (mail varchar(100) primary key, milters text); insert into users values " \
        "('user@example.net', 'clamav,spam'), ('none@example.net', ''), ('unset@example.net', null), ('o''brien@example.net', 'it')"
QUERY = "query: \"select milters from users where mail = ?\""
