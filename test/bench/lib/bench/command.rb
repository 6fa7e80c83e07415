# frozen_string_literal: true

require 'etc'
require 'optparse'

module Bench
  # The command line of script/bench.
  class Command
    def initialize(source, arguments)
      @source = source
      @options = { rounds: 5, idle: 1000, idle_rounds: 3, many: 4000, soak: nil }
      @build = File.join(source, 'build')
      parse(arguments)
    end

    def run
      tools = find_tools
      report = Report.new($stdout)
      Workshop.open { |workshop| measure(workshop, tools, report) }
      report.summary
      report.data.update(machine: Machine.describe(tools), options: @options)
      report.write_json(@json) if @json
      Document.new(report.data, report.verdicts).update(@document) if @document
      report.verdicts.none? { |entry| entry[:verdict] == 'missed' }
    end

    private

    def parse(arguments)
      OptionParser.new do |parser|
        parser.banner = 'usage: script/bench [options]'
        parser.on('--build DIR', 'build directory (./build)') { |dir| @build = File.expand_path(dir) }
        parser.on('--manager FILE', 'measure this milter-manager') { |file| @manager = file }
        parser.on('--no-manager', 'measure the children and HAProxy only') { @manager = nil; @bare = true }
        parser.on('--quick', 'about a minute, coarser figures') { quick }
        parser.on('--rounds N', Integer, 'paired rounds (5)') { |n| @options[:rounds] = n }
        parser.on('--only NAME,…', Array, "of #{names.join(', ')}") { |list| only(list) }
        parser.on('--sessions N', Integer, 'sessions at once to try (4000)') { |n| @options[:many] = n }
        parser.on('--soak [N]', Integer, 'memory after N messages (100000)') do |n|
          @options[:soak] = n || 100_000
        end
        parser.on('--document FILE', 'put the figures into this Markdown file') do |file|
          @document = file
        end
        parser.on('--json FILE', 'write everything measured to FILE') { |file| @json = file }
      end.parse!(arguments)
      raise OptionParser::InvalidArgument, arguments.first unless arguments.empty?
    end

    def quick
      @options.update(quick: true, rounds: 3, idle: 300, idle_rounds: 1, many: nil)
    end

    def names
      scenarios(false).map(&:name) + %i[idle many count]
    end

    def scenarios(quick)
      Scenarios.list(quick) + [Scenarios.conditions(quick), Scenarios.header(quick)]
    end

    def only(list)
      @only = list.map(&:to_sym)
      unknown = @only - names
      raise OptionParser::InvalidArgument, unknown.join(',') unless unknown.empty?
    end

    def wanted?(name)
      @only.nil? || @only.include?(name)
    end

    def find_tools
      haproxy = find_program('haproxy') or
        raise Failure, 'haproxy not found: install the package haproxy'
      Builder.new(@source, @build).build(manager: !@manager && !@bare)
      manager = @manager || File.join(@build, 'milter-manager') unless @bare
      raise Failure, "#{manager}: not there" if manager && !File.executable?(manager)

      Tools.new(source: @source, build: @build, haproxy: haproxy, manager: manager)
    end

    def find_program(name)
      "#{ENV['PATH']}:/usr/local/sbin:/usr/sbin".split(':').map { |dir| File.join(dir, name) }
                                                .find { |path| File.executable?(path) }
    end

    def progress(text)
      warn "bench: #{text}"
    end

    def measure(workshop, tools, report)
      runner = Runner.new(workshop, tools, @options) { |text| progress(text) }
      scenarios = scenarios(@options[:quick])
      scenarios.reject! { |scenario| scenario.name == :conditions } unless tools.manager
      unless File.executable?(tools.program('bench-libmilter-child'))
        scenarios.pop
        progress('no libmilter: the filter that adds a header is left out')
      end
      chosen = scenarios.select { |scenario| wanted?(scenario.name) }
      runner.run(chosen).each { |scenario, rounds| report.scenario(scenario, rounds) }
      measure_memory(Memory.new(workshop, tools, @options) { |text| progress(text) }, report)
      count(workshop, tools, report) if wanted?(:count) && tools.manager && !@options[:quick]
    end

    def measure_memory(memory, report)
      report.idle(memory.idle, @options[:idle], Memory::IDLE_LIMITS) if wanted?(:idle)
      report.many(memory.many) if wanted?(:many) && @options[:many]
      report.soak(memory.soak) if @options[:soak]
    end

    def count(workshop, tools, report)
      progress('counting calls under valgrind and strace')
      report.counts(Count.new(workshop, tools).run)
    rescue Failure => e
      progress("not counted: #{e.message}")
    end
  end

  # Makes the programs that are measured and that measure.
  class Builder
    def initialize(source, build)
      @source = source
      @build = build
    end

    def build(manager:)
      configure unless File.exist?(File.join(@build, 'Makefile'))
      run(@build, 'make', '-s', "-j#{Etc.nprocessors}", 'bench-programs')
      run(@build, 'make', '-s', "-j#{Etc.nprocessors}", 'all') if manager
      return unless File.read(File.join(@build, 'Makefile')).match?(/^SANITIZE_FLAGS = \S/)

      raise Failure, "#{@build} is built with sanitizers: give a plain build with --build"
    end

    private

    def configure
      run(@source, './autogen.sh') unless File.exist?(File.join(@source, 'configure'))
      FileUtils.mkdir_p(@build)
      run(@build, File.join(@source, 'configure'), '-q')
    end

    # Silent unless it fails.
    def run(directory, *command)
      output, status = Open3.capture2e(*command, chdir: directory)
      raise Failure, "#{command.join(' ')} failed in #{directory}:\n#{output}" unless status.success?
    end
  end

  # What the figures were measured on.
  module Machine
    module_function

    def describe(tools)
      {
        processor: File.read('/proc/cpuinfo')[/^model name\s*:\s*(.+)/, 1],
        processors: Etc.nprocessors,
        kernel: Etc.uname.values_at(:sysname, :release).join(' ')[/\A\w+ \d+\.\d+/],
        haproxy: Open3.capture2e(tools.haproxy, '-v').first[/version (\S+)/, 1],
        time: Time.now.utc.strftime('%FT%TZ')
      }
    end
  end
end
