# frozen_string_literal: true

# Differences that no proxy can avoid.  Each names its heading in doc/DIFFERENCES.md and takes the
# difference away from the lines of both sides, and nothing else.
module Accepted
  Rule = Struct.new(:heading, :mtas, :change)

  # A connection on which nothing happened after the negotiation.
  NEGOTIATION_ONLY = ->(lines) { lines.none? { |line| line =~ /: (connect|helo|mail|unknown) / } }

  # Drop the connections of children in which the block finds nothing of interest; number the rest.
  def self.without_connections(lines)
    head, logs = lines.partition { |line| line !~ /\Achild \d+ connection \d+: / }
    groups = logs.chunk_while { |a, b| a[/\A.*?: /] == b[/\A.*?: /] }.reject { |group| yield(group) }
    numbers = Hash.new(0)
    rest = groups.flat_map do |group|
      child = group.first[/\Achild \d+/]
      number = numbers[child] += 1
      group.map { |line| line.sub(/\Achild \d+ connection \d+/, "#{child} connection #{number}") }
    end
    complaints, others = head.partition { |line| line.start_with?("complaint: ") }
    others + rest + complaints
  end

  RULES = [
    Rule.new("Children are connected when the MTA connects", %w[postfix],
             ->(lines) { without_connections(lines, &NEGOTIATION_ONLY) }),
  ].freeze

  # Both sides without the accepted differences of this MTA.
  def self.apply(mta, scenario, *sides)
    RULES.select { |rule| rule.mtas.include?(mta) }.each do |rule|
      sides = sides.map { |lines| rule.change.call(lines) }
    end
    sides
  end

  def self.headings = RULES.map(&:heading)
end
