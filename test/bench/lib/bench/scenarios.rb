# frozen_string_literal: true

module Bench
  # What is measured, and what the project wants of it.
  #
  # A target says: this figure of this relay, divided by the base relay's of the
  # same round, is at most (or at least) so much; or is at most so much itself.
  # With `more` it is what the figure exceeds the base relay's by.
  Target = Struct.new(:relay, :figure, :direction, :limit, :base, :more, keyword_init: true)

  # `load` are options of the load generator.  `rig` names the children: :tcp,
  # :unix, and with _nr children that negotiate SMFIP_NR_*; or one of Runner's own.
  Scenario = Struct.new(:name, :title, :rig, :load, :targets, :only, keyword_init: true)

  # The list of scenarios, for a full or a quick run.
  module Scenarios
    RIGS = {
      tcp: [:tcp, []], unix: [:unix, []],
      tcp_nr: [:tcp, ['--no-replies']], unix_nr: [:unix, ['--no-replies']]
    }.freeze
    RIG_TITLES = {
      tcp: 'TCP', unix: 'unix', tcp_nr: 'TCP, NR_* children', unix_nr: 'unix, NR_* children'
    }.freeze

    # Enough messages for a second of processor time in each.
    SMALL_MESSAGES = { tcp: 4000, unix: 8000, tcp_nr: 10_000, unix_nr: 20_000 }.freeze

    PROCESSOR_TARGETS = [
      Target.new(relay: :'manager-1', figure: :cpu_ms, direction: :at_most, limit: 1.0,
                 base: :haproxy),
      Target.new(relay: :'manager-3', figure: :cpu_ms, direction: :at_most, limit: 2.5,
                 base: :haproxy)
    ].freeze

    module_function

    def at_most(figure, limit)
      [Target.new(relay: :'manager-1', figure: figure, direction: :at_most, limit: limit,
                  base: :haproxy)]
    end

    def at_least(figure, limit)
      [Target.new(relay: :'manager-1', figure: figure, direction: :at_least, limit: limit,
                  base: :haproxy)]
    end

    def list(quick)
      RIGS.keys.flat_map { |rig| for_rig(rig, quick) }
    end

    def for_rig(rig, quick)
      scenarios = [small(rig, quick)]
      return scenarios if rig == :unix_nr || (quick && rig == :tcp_nr)

      scenarios << single(rig, quick)
      return scenarios if rig == :unix

      scenarios + [stream(rig, quick), large(rig, quick)]
    end

    def small(rig, quick)
      Scenario.new(name: :"small_#{rig}", rig: rig,
                   title: "small mail, 50 sessions, #{RIG_TITLES[rig]}",
                   load: { sessions: 50, messages: SMALL_MESSAGES.fetch(rig) / (quick ? 4 : 1) },
                   targets: PROCESSOR_TARGETS)
    end

    def single(rig, quick)
      Scenario.new(name: :"single_#{rig}", rig: rig,
                   title: "small mail, one session, #{RIG_TITLES[rig]}",
                   load: { messages: quick ? 200 : 1000 }, targets: at_most(:p50_us, 1.0))
    end

    def stream(rig, quick)
      Scenario.new(name: :"stream_#{rig}", rig: rig,
                   title: "100 messages on one session, #{RIG_TITLES[rig]}",
                   load: { messages: quick ? 300 : 1000, per_session: 100 },
                   targets: at_least(:per_second, 1.0))
    end

    def large(rig, quick)
      Scenario.new(name: :"large_#{rig}", rig: rig,
                   title: "1 MB body, 4 sessions, #{RIG_TITLES[rig]}",
                   load: { sessions: 4, messages: quick ? 100 : 400, body: 1_048_576 },
                   targets: at_least(:mib_per_second, 1.0))
    end

    # What conditions cost that let every child take part: a client whose name looks like
    # an end user's line, from elsewhere, not logged in.
    def conditions(quick)
      Scenario.new(name: :conditions, rig: :conditions,
                   title: 'conditions on three children, 50 sessions, TCP',
                   load: { sessions: 50, messages: quick ? 1000 : 4000,
                           host: 'p1234-ipngn5.example.org' },
                   targets: [Target.new(relay: :'conditions-3', figure: :cpu_ms,
                                        direction: :at_most, limit: 0.06,
                                        base: :'manager-3', more: true)])
    end

    # A libmilter child that adds a header: it writes header and verdict apart
    # with Nagle on, and must not cost a delayed acknowledgement.
    def header(quick)
      Scenario.new(name: :libmilter_header, rig: :libmilter,
                   title: 'libmilter child adds a header, one session, TCP',
                   load: { messages: quick ? 20 : 100, expect_header: 'X-Bench' },
                   targets: [Target.new(relay: :'manager-1', figure: :p50_us,
                                        direction: :at_most, limit: 20_000)])
    end
  end
end
