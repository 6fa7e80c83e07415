# frozen_string_literal: true

require_relative "accepted"
require_relative "harness"
require_relative "tap"

# Plays scenarios on both sides of one MTA and prints a TAP line for each.
class Differential
  def initialize(mta_name, middle_kind, tap)
    @mta_name = mta_name
    @middle_kind = middle_kind
    @tap = tap
  end

  # PATTERN picks scenarios by name.
  def run(scenarios, pattern = nil)
    chosen = scenarios.select { |s| s.for?(@mta_name) && (pattern.nil? || s.name.match?(pattern)) }
    harness = Harness.new(@mta_name, @middle_kind, chosen.map(&:list).uniq(&:key))
    @tap.note("alone: --mta #{@mta_name} --random 1 --seed NAME") if chosen.first&.name&.start_with?("random")
    chosen.each { |scenario| one(harness, scenario) }
    trouble = harness.middle.trouble
    @tap.ok(trouble.nil?, "#{@mta_name}: the middle runs to the end", trouble)
  ensure
    harness&.close
  end

  private

  def one(harness, scenario)
    began = Workspace.clock
    difference = harness.difference(scenario)
    # Time limits of a second: on a busy machine one try may be spoilt, the second decides.
    difference &&= harness.difference(scenario) if scenario.list.quick?
    heading = scenario.accepted[@mta_name]
    name = "#{@mta_name}: #{scenario.name}"
    if difference && heading
      @tap.ok(true, "#{name} (accepted: #{heading})")
    else
      @tap.ok(difference.nil?, name, difference && "#{scenario}\n#{difference}")
    end
    @tap.note(format("%.2f s", Workspace.clock - began)) if ENV["E2E_TIMES"]
  end
end
