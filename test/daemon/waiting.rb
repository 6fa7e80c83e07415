# frozen_string_literal: true

# One slow condition beside 100 other sessions of the same worker: what a peer that does not
# answer costs them.
#
#   beside(box, "name" => Slow.new("code that waits", -> { let it go on }), …)
#
# Code of a Slow runs in the condition with $directory; it gives true once it was let go.
require_relative "harness"
require_relative "milter"

N_OTHERS = 100
AT_ONCE = 10
ROUNDS = 3
FLOOR = 0.01 # s; what a busy machine adds by itself

# CODE: what the condition does.  RELEASE: lets it go on; nil: only the session's end does.
# ENDS_WITH_SESSION: whether that alone unwinds it.  LEAVES_PROCESS: which only the release ends.
Slow = Struct.new(:code, :release, :ends_with_session, :leaves_process) do
  def initialize(code, release = nil, ends_with_session: true, leaves_process: false)
    super(code, release, ends_with_session, leaves_process)
  end
end

# A worker whose condition runs CODE, by name, at the connection of a session from the host "slow-NAME".
def configure_slow(box, child, slow, text: "", workers: 1, fallback: :apply)
  cases = slow.each_with_index.map { |(_, each), index| "when 'slow-#{index}' then #{each.code}" }
  box.configure(<<~CONF, workers: workers)
    log.level = "all"
    manager.condition_timeout = 60
    $directory = #{box.directory.inspect}
    #{text}
    define_applicable_condition("slow") do |condition|
      condition.fallback = #{fallback.inspect}
      condition.define_connect_stopper do |context, host, address|
        next false unless host.start_with?("slow")
        begin
          File.write("\#{$directory}/began", "")
          case host
          #{cases.join("\n      ")}
          end
        ensure
          File.write("\#{$directory}/ended", "")
        end
      end
      condition.define_envelope_from_stopper { |context, sender| sender == "<stop@example.com>" }
    end
    define_milter("a") { |m| m.connection_spec = "inet:#{child.port}@127.0.0.1"; m.applicable_conditions = ["slow"] }
  CONF
end

# Send the command in all sessions at once; how long the answer to each takes, s.
def step(sessions, command, payload)
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  sessions.each { |mta| mta.send_packet(mta.socket, command, payload) }
  sessions.map do |mta|
    same("c", mta.reply)
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  end
end

# The 99th hundredth of what the others' transactions take, s; AT_ONCE of them side by side, so
# that one halt of the worker is not just one slow session.
def p99(others)
  times = others.each_slice(AT_ONCE).flat_map do |sessions|
    both = step(sessions, "M", "<from@example.com>\0").zip(step(sessions, "R", "<to@example.net>\0"))
    sessions.each(&:abort)
    both.map(&:sum)
  end
  times.sort[(times.size * 0.99).ceil - 1]
end

def median(values)
  values.sort[values.size / 2]
end

# A session that has sent its connection, and does not wait for the answer.
def send_slow(box, host)
  mta = Mta.new(box.port)
  mta.send_packet(mta.socket, "C", "#{host}\0" + "4" + [25].pack("n") + "192.0.2.1\0")
  mta
end

def ask_slow(box, host)
  mta = send_slow(box, host)
  mta.reply.tap { mta.quit }
end

def start_slow(box, host)
  %w[began ended].each { |name| FileUtils.rm_f(box.path(name)) }
  mta = send_slow(box, host)
  wait_until("#{host} to begin") { File.exist?(box.path("began")) }
  mta
end

def wait_for_end(box)
  wait_until("ensure in the condition") { File.exist?(box.path("ended")) }
end

# Alternately with and without the slow one: [median p99 with, without].
def measure(box, host, slow, others)
  with = []
  without = []
  ROUNDS.times do
    without << p99(others)
    mta = start_slow(box, host)
    with << p99(others)
    check("it waits no longer: #{mta.reply if mta.socket.wait_readable(0)}") { !mta.socket.wait_readable(0) }
    mta.socket.close
    slow.release&.call unless slow.ends_with_session
    wait_for_end(box)
    slow.release.call if slow.leaves_process
  end
  [median(with), median(without)]
end

# The block gives p99 with and without.  What blocks fails each time, a machine that is busy does not.
def compare(what, floor: FLOOR)
  with = without = nil
  3.times do
    with, without = yield
    puts format("# %<what>s: %<with>.2f ms with, %<without>.2f ms without", what: what, with: with * 1000, without: without * 1000)
    return if with <= (2 * without) + floor
  end
  raise Failed, format("p99 %.1f ms, %.1f ms without", with * 1000, without * 1000)
end

def try_slow(box, host, slow, others)
  compare(host) { measure(box, host, slow, others) }
  return unless slow.release

  mta = start_slow(box, host)
  p99(others.first(5))
  slow.release.call
  same("a", mta.reply, "once it is let go")
  mta.quit
end

# A scenario for each.
def beside(box, text: "", **slow)
  child = Child.new("a")
  configure_slow(box, child, slow, text: text)
  daemon = box.start.started
  others = Array.new(N_OTHERS) { |i| Mta.new(box.port).tap { |mta| same("c", mta.connect("host#{i}")) && same("c", mta.helo) } }
  2.times { p99(others) }
  slow.each_with_index do |(name, each), index|
    try_slow(box, "slow-#{index}", each, others)
    report(true, "#{name}: suspends only its own session, and ends with it")
  rescue StandardError => error
    report(false, name.to_s)
    "#{error.full_message(highlight: false)}\n#{daemon.output.lines.last(5).join}".each_line { |line| puts "# #{line}" }
  end
  others.each(&:quit)
  same(0, daemon.stop)
  check(daemon.output.lines.grep(/ error:/).first(5).join) { !daemon.output.include?(" error:") }
ensure
  child&.close
end
