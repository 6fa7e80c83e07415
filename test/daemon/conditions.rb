# frozen_string_literal: true

# A running manager with recording children that have conditions.
require_relative "harness"
require_relative "milter"

# Children a, b, … with conditions, and a running manager.  CONDITIONS: text of the
# configuration; USES: conditions by child.
def with(box, conditions, uses, workers: 1, steps: 0, extra: "")
  children = uses.keys.map { |name| Child.new(name, steps: steps) }
  defined = children.map do |child|
    <<~CONF
      define_milter(#{child.name.inspect}) do |milter|
        milter.connection_spec = "inet:#{child.port}@127.0.0.1"
        milter.applicable_conditions = #{uses.fetch(child.name).inspect}
      end
    CONF
  end
  box.configure("log.level = \"all\"\n#{extra}\n#{conditions}\n#{defined.join}", workers: workers)
  daemon = box.start.started
  yield(*children, daemon)
  same(0, daemon.stop)
  check(daemon.output) { !daemon.output.include?(" error:") } unless extra.include?("# fails")
ensure
  children&.each(&:close)
end

def condition(stopper, body, fallback: nil)
  <<~CONF
    define_applicable_condition("c") do |condition|
      #{"condition.fallback = #{fallback.inspect}" if fallback}
      condition.define_#{stopper}_stopper { #{body} }
    end
  CONF
end

# One whole session with one message; the replies.
def session(box, offer: 0, **message)
  mta = Mta.new(box.port, offer: offer)
  replies = [mta.connect, mta.helo].join + mta.message(**message)
  mta.quit
  replies
end

def seen_until_quit(child)
  wait_until("#{child.name} to be told QUIT; it saw #{child.seen}") { child.idle? && child.seen.last == "Q" }
  child.seen
end

ALL = ["C", "H client.example.com", "M <from@example.com>", "R <to@example.net>", "T",
       "L Subject: test", "N", "B Hello.\r\n", "E", "Q"].freeze
