# frozen_string_literal: true

module Bench
  # Runs scenarios round by round, all relays within each round, so that what
  # disturbs the machine disturbs all of them.
  class Runner
    # `progress` is called with a line about what runs now.
    def initialize(workshop, tools, options, &progress)
      @workshop = workshop
      @tools = tools
      @options = options
      @load = Load.new(tools)
      @progress = progress
    end

    # Returns { scenario => { relay name => [figures of each round] } }.
    def run(scenarios)
      scenarios.group_by(&:rig).each_with_object({}) do |(rig_name, members), results|
        with_rig(rig_name) do |rig|
          members.each { |scenario| results[scenario] = measure(rig, scenario) }
        end
      end
    end

    private

    def with_rig(name)
      rig = case name
            when :libmilter then libmilter_rig
            when :conditions then conditions_rig
            else relay_rig(*Scenarios::RIGS.fetch(name))
            end
      yield rig
    ensure
      rig&.close
    end

    def relay_rig(transport, child_options)
      rig = Rig.new(@workshop, @tools, transport, child_options: child_options)
      rig.add_haproxy
      [1, 3].each { |n| rig.add_manager(n) } if @tools.manager
      rig
    end

    # The same children without and with conditions.
    def conditions_rig
      rig = Rig.new(@workshop, @tools, :tcp)
      rig.add_manager(3)
      rig.add_manager(3, conditions: ['S25R', 'Remote Network', 'Unauthenticated'])
      rig
    end

    def libmilter_rig
      rig = Rig.new(@workshop, @tools, :tcp, n_children: 1, libmilter: true)
      rig.add_haproxy
      rig.add_manager(1) if @tools.manager
      rig
    end

    def measure(rig, scenario)
      @progress.call(scenario.title)
      warm_up = scenario.load.merge(messages: [scenario.load[:messages] / 10, 2].max)
      rig.relays.each { |relay| @load.run(relay, warm_up) }
      figures = rig.relays.to_h { |relay| [relay.name, []] }
      @options[:rounds].times do |round|
        # Each round begins with another relay.
        rig.relays.rotate(round).each do |relay|
          figures[relay.name] << @load.run(relay, scenario.load)
        end
      end
      figures
    end
  end
end
