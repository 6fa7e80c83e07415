# frozen_string_literal: true

require_relative "scenario"

# Makes random scenarios from a seed: the same seed and number make the same scenario.  Scenario N of
# seed S has the seed "S-N" in its name; with that it is played again alone.
class Generator
  LISTS = ["1:t", "1:t 2:t", "1:t 2:t 3:t", "1:a 2:t"].freeze
  STEPS = %w[connect helo mail rcpt data header eoh body eom unknown].freeze
  VERDICTS = ["accept", "reject", "tempfail", "discard", "continue", 'reply 550 5.7.1 "no"',
              'reply 451 4.7.1 "later" "much later"', "close"].freeze
  OPTIONS = %w[NOCONNECT NOHELO NOMAIL NORCPT NOBODY NOHDRS NOEOH NOUNKNOWN NODATA NR_HDR NR_CONN
               NR_HELO NR_MAIL NR_RCPT NR_DATA NR_UNKN NR_EOH NR_BODY SKIP RCPT_REJ
               HDR_LEADSPC].freeze
  STEP_OF = { "CONN" => "connect", "UNKN" => "unknown", "HDR" => "header" }.freeze
  # Few names, so that edits meet.
  NAMES = %w[X-A x-a X-B Subject X-C].freeze
  VALUES = ["one", "two words", "", " blank", "folded\\n\\tvalue", "x" * 120].freeze
  ADDRESSES = %w[user@example.net one@example.net two@example.net new@example.net].freeze
  BODIES = ["Hello.\r\n", "", "line\r\n" * 100, "0123456789abcdef\r\n" * 9000, "no end"].freeze

  def self.scenarios(count, seed)
    base, first = seed.to_s.match(/\A(.+)-(\d+)\z/)&.captures || [seed || rand(1_000_000), 1]
    (0...count).map { |i| new("#{base}-#{first.to_i + i}").scenario }
  end

  def initialize(seed)
    @seed = seed
    @random = Random.new(seed.to_s.each_byte.reduce(7) { |sum, byte| (sum * 31) + byte })
  end

  def scenario
    key = pick(LISTS)
    numbers = List.new(key).numbers
    rules = numbers.to_h { |n| [n, chance(0.5) ? edits : verdicts] }
    keep_apart(rules, key)
    steps = dialogue(unknown: rules.values.flatten.none? { |rule| rule.end_with?("discard") })
    Scenario.new("random #{@seed}") do
      list key
      rules.each { |number, lines| child number, *lines }
      dialogue { steps.each { |step| @steps << step } }
    end
  end

  private

  def pick(array) = array[@random.rand(array.size)]
  def chance(probability) = @random.rand < probability
  def several(range, &block) = Array.new(@random.rand(range), &block)

  # What the child asks for at the negotiation, usually nothing.
  def options
    lines = []
    lines << "negotiate steps #{several(1..4) { pick(OPTIONS) }.uniq.join(' ')}" if chance(0.3)
    lines << "negotiate symlist #{@random.rand(7)} \"i {mail_addr} {client_addr}\"" if chance(0.15)
    lines
  end

  # Take out what is known to end differently (doc/DIFFERENCES.md), so that the rest can be compared, and
  # verdicts at steps without reply: libmilter does not send them, but is mute for the rest of the message.
  def keep_apart(rules, key)
    rules.each_value do |lines|
      quiet = lines.first.to_s.scan(/NR_(\w+)/).flatten.map { |bit| STEP_OF.fetch(bit) { bit.downcase } }
      lines.reject! { |rule| quiet.include?(rule[/\A\w+/]) && !rule.end_with?("close") }
    end
    all = rules.values.flatten
    # A dead child is noticed at once by the manager, by Postfix at its next reply.
    without_bits(rules, /NR_\w+ ?/) if all.any? { |rule| rule.end_with?("close") }
    # Where a second HELO was refused cannot be seen in the log of a child that declined HELO.
    without_bits(rules, /NOHELO ?/) if all.any? { |rule| rule.start_with?("helo") }
    one_refusal(rules)
    return unless key.include?(":a")

    rules.each_value { |lines| lines.reject! { |rule| rule.match?(/\Aeom .*close\z/) } }
  end

  # Who refuses the client at connect or HELO is the only one who refuses before RCPT: which of two
  # texts the client sees is different.
  def one_refusal(rules)
    greeting = /\A(connect|helo) .*(reject|tempfail|reply|close)/
    refusing = rules.values.find { |lines| lines.grep(greeting).any? } or return
    rules.each_value do |lines|
      lines.reject! { |rule| rule.match?(/\Amail .*(reject|tempfail|reply|close)/) }
      lines.reject! { |rule| rule.match?(greeting) } unless lines.equal?(refusing)
    end
    refusing.delete(refusing.grep(greeting).last) while refusing.grep(greeting).size > 1
  end

  # Take step bits out of what the children ask for.
  def without_bits(rules, bits)
    rules.each_value { |lines| lines.map! { |rule| rule.start_with?("negotiate steps") ? rule.gsub(bits, "") : rule } }
    rules.each_value { |lines| lines.reject! { |rule| rule.strip == "negotiate steps" } }
  end

  def verdicts
    options + several(0..2) do
      step = pick(STEPS)
      words = [step]
      words << "msg=#{@random.rand(1..3)}" if chance(0.6) && !%w[connect helo unknown].include?(step)
      words << "nth=#{@random.rand(1..2)}" if chance(0.6)
      verdict = pick(VERDICTS)
      verdict = "continue" if verdict == "close" && !chance(0.3)
      # Postfix panics, or forgets what it did: see doc/DIFFERENCES.md.
      verdict = "reject" if step == "unknown" && %w[accept discard].include?(verdict)
      [*words, verdict].join(" ")
    end
  end

  def edits
    changes = several(1..6) { "eom#{" msg=#{@random.rand(1..2)}" if chance(0.2)} #{edit}" }
    # A body in two pieces with something in between is an error in Postfix.
    changes.insert(@random.rand(0..changes.size), *several(1..2) { "eom #{new_body}" }) if chance(0.3)
    lines = options + changes
    lines << "eom #{pick(VERDICTS)}" if chance(0.1)
    lines
  end

  def edit
    case @random.rand(11)
    when 0, 1, 2 then "chgheader #{pick(NAMES)} #{@random.rand(0..4)} \"#{pick(VALUES)}\""
    when 3, 4 then "chgheader #{pick(NAMES)} #{@random.rand(0..4)}"
    when 5, 6 then "addheader #{pick(NAMES)} \"#{pick(VALUES)}\""
    when 7, 8 then "insheader #{@random.rand(0..6)} #{pick(NAMES)} \"#{pick(VALUES)}\""
    when 9 then "#{pick(%w[addrcpt delrcpt])} <#{pick(ADDRESSES)}>"
    else "chgfrom <#{pick(ADDRESSES)}>"
    end
  end

  def new_body
    "replacebody \"#{pick(['new\\r\\n', 'a\\nb\\n', 'open', '', '\\r\\n'])}\" #{pick([1, 1, 5000])}"
  end

  def dialogue(unknown:)
    steps = [[:cmd, "EHLO client.example.com"]]
    several(1..3) { |i| steps.concat(transaction(i, unknown)) }
    steps << (chance(0.9) ? [:cmd, "QUIT"] : [:drop])
  end

  def transaction(number, unknown)
    steps = [[:cmd, "MAIL FROM:<sender#{number}@example.com>"]]
    several(1..3) { steps << [:cmd, "RCPT TO:<#{pick(ADDRESSES + ['refused@example.net'])}>"] }
    steps.insert(@random.rand(1..steps.size), [:cmd, pick(unknown ? %w[XFOO NOOP RSET] : %w[NOOP RSET])]) if chance(0.25)
    steps << [:data, text] unless chance(0.1)
    # libmilter is mute to a recipient after a refused DATA: the transaction ends in any case.
    steps << [:cmd, chance(0.8) ? "RSET" : "EHLO again.example.com"]
  end

  def text
    fields = several(0..6) { "#{pick(NAMES)}: value #{@random.rand(100)}\r\n" }.join
    Scenario::MESSAGE.split("\r\n\r\n").first + "\r\n#{fields}\r\n#{pick(BODIES)}"
  end
end
