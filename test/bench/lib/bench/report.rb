# frozen_string_literal: true

require 'json'

module Bench
  # Judges the figures, prints the tables, writes the JSON file.
  class Report
    FIGURES = {
      per_second: ['msg/s', 0, 1], p50_us: ['p50 ms', 2, 1000.0], p99_us: ['p99 ms', 2, 1000.0],
      cpu_ms: ['cpu ms/msg', 3, 1], mib_per_second: ['MiB/s', 0, 1]
    }.freeze
    # Differences under a tenth are noise.
    NOISE = 1.1

    def initialize(out)
      @out = out
      @verdicts = []
      @data = { scenarios: {} }
    end

    attr_reader :data, :verdicts

    # rounds: { relay name => [figures of each round] }
    def scenario(scenario, rounds)
      medians = rounds.transform_values { |list| median_figures(list) }
      @out.puts "\n#{scenario.title} (#{scenario.load[:messages]} messages, medians of " \
                "#{rounds.values.first.size} rounds)"
      table(medians, rounds)
      judged = scenario.targets.filter_map { |target| judge(scenario, target, rounds) }
      @data[:scenarios][scenario.name] = {
        title: scenario.title, load: scenario.load, rounds: rounds, medians: medians,
        targets: judged
      }
    end

    # sizes: { relay name => [bytes per session] }
    def idle(sizes, sessions, limits)
      @out.puts "\nidle sessions after HELO (#{sessions}, TCP)"
      medians = sizes.transform_values { |list| Statistics.median(list) }
      medians.each { |name, bytes| @out.puts format('  %-12s %8.0f bytes each', name, bytes) }
      judged = limits.filter_map do |name, limit|
        next unless medians[name]

        verdict("idle session, #{name}", medians[name], :at_most, limit, 'bytes')
      end
      @data[:idle] = { sessions: sessions, rounds: sizes, medians: medians, targets: judged }
    end

    def many(result)
      return unless result

      @out.puts "\n#{result[:sessions]} idle sessions at once, three children (worker's " \
                "descriptor limit #{result[:descriptor_limit]})"
      @out.puts(if result[:error]
                  "  failed: #{result[:error]}"
                else
                  format('  manager-3    %8.0f bytes each', result[:bytes])
                end)
      @verdicts << { what: "#{result[:sessions]} sessions at once, manager-3",
                     verdict: result[:error] ? 'missed' : 'met' }
      @data[:many] = result
    end

    def soak(result)
      return unless result

      @out.puts format("\n%d messages, three children: worker's memory %d KiB after 1000, " \
                       '%d KiB at the end', result[:messages], result[:early] / 1024,
                       result[:late] / 1024)
      @data[:soak] = result.merge(
        target: verdict('memory after all messages / after 1000', result[:ratio], :at_most,
                        Memory::GROWTH_LIMIT, 'x', noise: 1)
      )
    end

    def counts(result)
      return unless result

      @out.puts "\nmanager worker, three children (reported)"
      result.each { |name, value| @out.puts format('  %-44s %8.1f', name, value) }
      @data[:counts] = result
    end

    def summary
      return if @verdicts.empty?

      @out.puts "\ntargets"
      @verdicts.each do |entry|
        @out.puts format('  %-13s %s%s', entry[:verdict], entry[:what], measured(entry))
      end
    end

    def write_json(path)
      File.write(path, "#{JSON.pretty_generate(@data.merge(targets: @verdicts))}\n")
    end

    private

    def measured(entry)
      return '' unless entry[:value]

      ": #{Statistics.short(entry[:value])} #{entry[:unit]}".rstrip +
        ", wanted #{entry[:direction].to_s.tr('_', ' ')} #{format('%g', entry[:limit])}"
    end

    def median_figures(list)
      FIGURES.keys.to_h do |figure|
        values = list.map { |round| round[figure] }
        [figure, values.any?(&:nil?) ? nil : Statistics.median(values)]
      end
    end

    def table(medians, rounds)
      heads = FIGURES.values.map(&:first)
      @out.puts format('  %-12s' + ' %11s' * heads.size + ' %10s', '', *heads, 'cpu ratio')
      medians.each do |name, figures|
        cells = FIGURES.map { |figure, (_, digits, unit)| cell(figures[figure], digits, unit) }
        @out.puts format('  %-12s' + ' %11s' * cells.size + ' %10s', name, *cells,
                         cell(processor_ratio(rounds, name), 2, 1))
      end
    end

    def cell(value, digits, unit)
      value ? format("%.#{digits}f", value / unit) : '-'
    end

    def processor_ratio(rounds, name)
      return nil if name == :direct || rounds[:haproxy].nil?

      Statistics.paired_ratio(*[name, :haproxy].map { |of| rounds[of].map { |r| r[:cpu_ms] } })
    end

    def judge(scenario, target, rounds)
      return nil unless rounds[target.relay]

      values = rounds[target.relay].map { |round| round[target.figure] }
      what = "#{scenario.title}, #{target.relay}: #{FIGURES[target.figure].first}"
      if target.base
        base = rounds[target.base].map { |round| round[target.figure] }
        return difference(what, target, values, base) if target.more

        value = Statistics.paired_ratio(values, base)
        return verdict("#{what} / #{target.base}", value, target.direction, target.limit, 'x')
      end
      unit = FIGURES[target.figure].last
      verdict(what, Statistics.median(values) / unit, target.direction, target.limit / unit, '')
    end

    def difference(what, target, values, base)
      value = Statistics.median(values.zip(base).map { |above, below| above - below })
      verdict("#{what} more than #{target.base}", value, target.direction, target.limit, '')
    end

    def verdict(what, value, direction, limit, unit, noise: NOISE)
      word = if within?(value, direction, limit, 1) then 'met'
             elsif within?(value, direction, limit, noise) then 'within noise'
             else 'missed'
             end
      entry = { what: what, value: value, unit: unit, direction: direction, limit: limit,
                verdict: word }
      @verdicts << entry
      entry
    end

    def within?(value, direction, limit, noise)
      return false if value.nil?

      direction == :at_most ? value <= limit * noise : value >= limit / noise
    end
  end
end
