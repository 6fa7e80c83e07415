# frozen_string_literal: true

require_relative "client"

# Plays one scenario through one side of an MTA and collects what came of it.
class Player
  # replies: [[command, reply]...]; deliveries: of Sink::Delivery; queue: see Postfix#settle;
  # children: { number => [[line...] per connection] }; complaints: lines of the MTA's log.
  Outcome = Struct.new(:replies, :deliveries, :queue, :children, :complaints)

  def initialize(mta, sink, children, middle)
    @mta = mta
    @sink = sink
    @children = children
    @middle = middle
  end

  def play(scenario, side)
    @children.each_value { |child| child.prepare(scenario.scripts.fetch(child.number, [])) }
    replies = Client.new(@mta.port(scenario.list, side)).play(scenario.steps)
    seen = @children.transform_values(&:take)
    queue = @mta.settle
    middle_port = @middle.port(scenario.list)
    complaints = middle_port ? @mta.complaints(middle_port) : []
    Outcome.new(replies, @sink.take, queue, seen, complaints)
  end
end
