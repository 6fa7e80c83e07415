# frozen_string_literal: true

module Bench
  # Writes the figures into a Markdown file, behind its marker.
  class Document
    MARKER = "<!-- What follows is written by script/bench --document. -->\n"

    # Everything the report has collected.
    def initialize(data, verdicts)
      @data = data
      @verdicts = verdicts
    end

    def update(path)
      head, marker, = File.read(path).partition(MARKER)
      raise Failure, "#{path}: has no line #{MARKER}" if marker.empty?

      File.write(path, head + marker + "\n" + sections.compact.join("\n"))
    end

    private

    def sections
      [machine, targets, *@data[:scenarios].values.map { |scenario| table(scenario) }, idle, many,
       soak, counts]
    end

    def machine
      about = @data[:machine]
      "Measured #{about[:time][0, 10]} on #{about[:processors]} processors (#{about[:processor]}), " \
        "#{about[:kernel]}, HAProxy #{about[:haproxy]}; medians of #{@data[:options][:rounds]} " \
        "paired rounds.\n"
    end

    def targets
      rows = @verdicts.map do |entry|
        value = entry[:value] ? "#{Statistics.short(entry[:value])} #{entry[:unit]}".strip : ''
        wanted = [entry[:direction].to_s.tr('_', ' '), entry[:limit] && format('%g', entry[:limit])]
        [entry[:what], value, wanted.compact.join(' '), entry[:verdict]]
      end
      "## Targets\n\n#{markdown(%w[what measured wanted verdict], rows)}"
    end

    def table(scenario)
      heads = Report::FIGURES.values.map(&:first)
      rows = scenario[:medians].map do |name, figures|
        [name, *Report::FIGURES.map { |key, (_, digits, unit)| cell(figures[key], digits, unit) }]
      end
      "### #{scenario[:title].capitalize.sub('tcp', 'TCP').sub('nr_', 'NR_')}\n\n" \
        "#{markdown(['', *heads], rows)}"
    end

    def idle
      return unless @data[:idle]

      rows = @data[:idle][:medians].map { |name, bytes| [name, format('%.0f', bytes)] }
      "### Idle sessions after HELO (#{@data[:idle][:sessions]})\n\n" \
        "#{markdown(['', 'bytes each'], rows)}"
    end

    def many
      return unless (result = @data[:many])

      outcome = result[:error] || format('%.0f bytes each', result[:bytes])
      "### #{result[:sessions]} sessions at once in one worker, three children\n\n#{outcome}; the " \
        "worker's limit of descriptors was #{result[:descriptor_limit]}.\n"
    end

    def soak
      return unless (result = @data[:soak])

      format("### Growth\n\nResident memory of the worker after 1000 messages %d KiB, after %d " \
             "messages %d KiB: %.2f times.\n", result[:early] / 1024, result[:messages],
             result[:late] / 1024, result[:ratio])
    end

    def counts
      return unless @data[:counts]

      rows = @data[:counts].map { |name, value| [name, format('%.1f', value)] }
      "### Counts, three children\n\n#{markdown(['', 'count'], rows)}"
    end

    def cell(value, digits, unit)
      value ? format("%.#{digits}f", value / unit) : '-'
    end

    def markdown(heads, rows)
      lines = [heads, ['---'] * heads.size, *rows]
      lines.map { |line| "| #{line.join(' | ')} |\n" }.join
    end
  end
end
