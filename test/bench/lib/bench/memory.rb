# frozen_string_literal: true

module Bench
  # Memory of idle sessions, the number of sessions at once, growth.
  class Memory
    IDLE_LIMITS = { 'manager-1': 4096, 'manager-3': 8192 }.freeze
    GROWTH_LIMIT = 1.1

    def initialize(workshop, tools, options, &progress)
      @workshop = workshop
      @tools = tools
      @options = options
      @load = Load.new(tools)
      @progress = progress
    end

    # Bytes per session of each relay, started anew for each measurement so
    # that no memory freed by earlier sessions hides what these take.
    def idle
      names = [:haproxy] + (@tools.manager ? IDLE_LIMITS.keys : [])
      names.to_h do |name|
        @progress.call("#{@options[:idle]} idle sessions, #{name}")
        [name, Array.new(@options[:idle_rounds]) { idle_bytes(name, @options[:idle]) }]
      end
    end

    # As many sessions as asked for, with three children.
    def many
      return nil unless @tools.manager

      @progress.call("#{@options[:many]} idle sessions, manager-3")
      with_relay(:'manager-3') do |relay|
        limit = Proc.descriptor_limit(Proc.leaves(relay.pid).first)
        bytes, error = begin
          [held_bytes(relay, @options[:many]), nil]
        rescue Failure => e
          [nil, e.message]
        end
        { sessions: @options[:many], bytes: bytes, descriptor_limit: limit, error: error }
      end
    end

    # The workers' memory after the first thousand and after a hundred thousand
    # small messages through three children.
    def soak
      return nil unless @tools.manager

      @progress.call("#{@options[:soak]} messages, manager-3")
      with_relay(:'manager-3') do |relay|
        @load.run(relay, sessions: 50, messages: 1000)
        early = Proc.resident_bytes(Proc.leaves(relay.pid))
        @load.run(relay, sessions: 50, messages: @options[:soak] - 1000)
        late = Proc.resident_bytes(Proc.leaves(relay.pid))
        { messages: @options[:soak], early: early, late: late, ratio: late / early.to_f }
      end
    end

    private

    def with_relay(name)
      rig = Rig.new(@workshop, @tools, :tcp)
      name == :haproxy ? rig.add_haproxy : rig.add_manager(name[/\d+/].to_i)
      relay = rig.relay(name)
      @load.run(relay, messages: 20)
      yield relay
    ensure
      rig&.close
    end

    def idle_bytes(name, n)
      with_relay(name) { |relay| held_bytes(relay, n) }
    end

    def held_bytes(relay, n)
      before = Proc.resident_bytes(relay.pids)
      @load.hold(relay, n) { (settled_bytes(relay) - before) / n.to_f }
    end

    # The last session's buffers may be given back a moment after it was opened.
    def settled_bytes(relay)
      last = Proc.resident_bytes(relay.pids)
      20.times do
        sleep 0.1
        current = Proc.resident_bytes(relay.pids)
        return current if current == last

        last = current
      end
      last
    end
  end
end
