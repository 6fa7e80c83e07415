# frozen_string_literal: true

require_relative "child"
require_relative "compare"
require_relative "middle"
require_relative "normalise"
require_relative "player"
require_relative "postfix"
require_relative "scenario"
require_relative "sendmail"
require_relative "sink"
require_relative "workspace"

# Starts everything that a differential run needs, once: sink, children, middle and one MTA with
# listeners for all lists.
class Harness
  MTAS = { "postfix" => Postfix, "sendmail" => Sendmail }.freeze
  CHILDREN = 3

  attr_reader :middle, :workspace

  # Why it cannot run here, or nil.
  def self.missing(mta_name)
    return "the test milter is not built: #{scripted}" unless File.executable?(scripted)

    MTAS.fetch(mta_name).missing
  end

  def self.scripted
    File.join(ENV["top_builddir"] || Dir.pwd, "test", "e2e", "milters", "scripted")
  end

  # MIDDLE_KIND: "manager", "haproxy" or "direct".
  def initialize(mta_name, middle_kind, lists, player: Player)
    @workspace = Workspace.new
    @sink = Sink.new(@workspace.port)
    @children = (1..CHILDREN).to_h { |n| [n, Child.new(@workspace, Harness.scripted, n)] }
    ports = @children.to_h { |n, child| [n.to_s, child.port] }.merge("d" => @workspace.port)
    @middle = make_middle(middle_kind, ports)
    @mta = MTAS.fetch(mta_name).new(@workspace, @sink.port, ports, @middle)
    @middle.start(lists)
    @mta.start(lists)
    @player = player.new(@mta, @sink, @children, @middle)
  end

  # Play a scenario on both sides; the difference as text, or nil.
  def difference(scenario)
    sides = %i[direct managed].map do |side|
      Normalise.lines(@player.play(scenario, side))
    rescue Workspace::TimedOut, RuntimeError => e
      recover
      ["the test could not end: #{e.message}"]
    end
    Compare.diff(*Accepted.apply(@mta.name, scenario, *sides))
  end

  # The lines of one side, for looking at.
  def lines(scenario, side) = Normalise.lines(@player.play(scenario, side))

  def close
    @sink.close
    @workspace.close
  end

  private

  # Forget what a scenario that did not end has left behind.
  def recover
    @sink.take
  end

  def make_middle(kind, ports)
    case kind
    when "direct" then Middle::Direct.new
    when "haproxy" then Middle::HAProxy.new(@workspace, ports)
    else Middle::Manager.new(@workspace, ports, ENV.fetch("MILTER_MANAGER"))
    end
  end
end
