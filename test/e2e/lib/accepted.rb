# frozen_string_literal: true

# Differences that no proxy can avoid.  Each names its heading in doc/DIFFERENCES.md and takes the
# difference away from the lines of both sides, and nothing else.  (A difference of one scenario
# only is declared there, with `accept`.)
module Accepted
  Rule = Struct.new(:heading, :mtas, :change)

  LOG = /\Achild \d+ connection \d+: /

  # Rewrite the log of each connection of a child: the block gets its lines without prefix and
  # returns lines, or nil for none.  The connections that are left are numbered again.
  def self.each_connection(lines)
    first = lines.index { |line| line.match?(LOG) } or return lines
    logs = lines.select { |line| line.match?(LOG) }
    others = lines.reject { |line| line.match?(LOG) }
    numbers = Hash.new(0)
    changed = logs.chunk_while { |a, b| a[LOG] == b[LOG] }.flat_map do |group|
      events = yield(group.map { |line| line.sub(LOG, "") }) or next []
      child = group.first[/\Achild \d+/]
      number = numbers[child] += 1
      events.map { |event| "#{child} connection #{number}: #{event}" }
    end
    others.insert(first, *changed)
  end

  # The step at which a child refused the client as such on the direct side, or failed with a fallback
  # that does: ["connect", 1], ["helo", N] or nil.
  def self.refusal(scenario, lines)
    return nil if lines.any? { |line| line.start_with?("smtp > XCLIENT") }

    greetings = lines.count { |line| line.match?(/\Asmtp > (EHLO|HELO)/) }
    scenario.list.entries.filter_map do |entry|
      next (["connect", 1] unless entry.fallback == "a") if entry.down?

      log = "child #{entry.child} connection 1: "
      events = lines.select { |line| line.start_with?(log) }.map { |line| line.delete_prefix(log) }
      dies = entry.fallback != "a" && scenario.scripts[entry.child.to_i].any? { |rule| rule.end_with?(" close") }
      refusal_of(events, entry.fallback, dies ? greetings : 0)
    end.min
  end

  # The same for one child, from what it saw.  GREETINGS: how many there were, when the child may have
  # died: the first one after its death is refused.
  def self.refusal_of(events, fallback, greetings)
    step = nil
    helos = 0
    events.each do |event|
      case event
      when /\A(negotiate|connect) / then step = ["connect", 1]
      when /\Ahelo / then step = ["helo", helos += 1]
      when /\A  -> (reject|tempfail|reply)/ then return step if step
      when "closed"
        return step if step && fallback != "a"
        return greetings > helos ? ["helo", helos + 1] : nil
      when /\A\w/ then step = nil
      end
    end
    nil
  end

  # Without the connections on which nothing happened after the negotiation.
  def self.without_idle(lines, _refusal)
    each_connection(lines) { |events| events if events.grep(/\A(connect|helo|mail|unknown) /).any? }
  end

  # In a session that was refused at connect, also without those that saw only the connect step.
  def self.without_refused(lines, refusal)
    return lines unless refusal&.first == "connect"

    each_connection(lines) { |events| events if events.grep(/\A(helo|mail|unknown) /).any? }
  end

  # Nothing of what children saw after the step at which the client was refused.
  def self.until_refusal(lines, refusal)
    return lines unless refusal

    each_connection(lines) do |events|
      at = end_of(events, *refusal)
      events = events[0...at] + ["closed"] if at
      events.chunk_while { |a, b| a == "abort" && b == "abort" }.map(&:first)
    end
  end

  # Where the first event after the NUMBER-th STEP is.  A child that does not get the step has seen
  # nothing that counts after connect, or after the last transaction.
  def self.end_of(events, step, number)
    starts = events.each_index.select { |i| events[i].start_with?("#{step} ") }
    later = %w[helo mail rcpt unknown abort closed]
    from = starts[number - 1]
    return (from + 1...events.size).find { |i| later.include?(events[i][/\A\w+/]) } if from
    return events.index { |event| later.include?(event[/\A\w+/]) } if starts.empty? && number == 1

    last = events.size - 1
    last -= 1 while last.positive? && events[last - 1] == "abort"
    last
  end

  # Sendmail's own estimate of a message's size where it is not near the size delivered.
  def self.without_estimates(lines, _refusal)
    lines.map { |line| line.sub(/\A(delivered from .*)SIZE=\d+/, '\1SIZE=ESTIMATE') }
  end

  CONNECTED = "Children are connected when the MTA connects"
  RULES = [
    Rule.new("After a refused connection or HELO the MTA is silent", %w[postfix],
             method(:until_refusal)),
    Rule.new("The size that Sendmail announces", %w[sendmail], method(:without_estimates)),
    Rule.new(CONNECTED, %w[sendmail], method(:without_refused)),
    Rule.new(CONNECTED, %w[postfix sendmail], method(:without_idle))
  ].freeze

  # Both sides without the accepted differences of this MTA.
  def self.apply(mta, scenario, direct, managed)
    refusal = refusal(scenario, direct)
    RULES.select { |rule| rule.mtas.include?(mta) }.reduce([direct, managed]) do |sides, rule|
      sides.map { |lines| rule.change.call(lines, refusal) }
    end
  end

  def self.headings = RULES.map(&:heading)
end
