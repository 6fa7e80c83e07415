# frozen_string_literal: true

require 'json'
require 'open3'

module Bench
  # Runs the load generator against a relay.
  class Load
    def initialize(tools)
      @program = tools.program('bench-load')
    end

    # Send messages; returns the generator's figures and the processor time that
    # the relay needed for each, in milliseconds.
    def run(relay, options)
      pids = relay.pids
      before = Proc.processor_ms(pids)
      output, error, status = Open3.capture3(@program, "--connect=#{relay.spec}",
                                             *arguments(options))
      raise Failure, "#{relay.name}: #{error.strip}" unless status.success?

      figures = JSON.parse(output, symbolize_names: true)
      spent = Proc.processor_ms(pids) - before
      figures.merge(cpu_ms: pids.empty? ? nil : spent / figures[:messages])
    end

    # Hold n sessions while the block runs; returns what the block returns.
    def hold(relay, n)
      Open3.popen3(@program, "--connect=#{relay.spec}", "--idle=#{n}") do |input, output, error, _|
        unless output.gets == "ready #{n}\n"
          raise Failure, "#{relay.name}: #{n} idle sessions: #{error.read.strip}"
        end

        result = yield
        input.close
        raise Failure, "#{relay.name}: #{error.read.strip}" unless output.gets

        result
      end
    end

    private

    def arguments(options)
      options.map { |name, value| "--#{name.to_s.tr('_', '-')}=#{value}" }
    end
  end
end
