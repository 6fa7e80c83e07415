# frozen_string_literal: true

# The part of milter-manager that is written in Ruby: the configuration language.
# The daemon starts an interpreter, defines Milter::Manager::Native, requires this file and
# calls the functions below.
require "etc"
require "milter/logger"
require "milter/manager/errors"
require "milter/manager/failure"
require "milter/manager/spelling"
require "milter/manager/source"
require "milter/manager/load_guard"
require "milter/manager/item_group"
require "milter/manager/groups"
require "milter/manager/database"
require "milter/manager/child_settings"
require "milter/manager/condition"
require "milter/manager/hooks"
require "milter/manager/journal"
require "milter/manager/configuration_dump"
require "milter/socket_address"
require "milter/manager/plan"
require "milter/manager/context"
require "milter/manager/scheduler"
require "milter/manager/threads"
require "milter/manager/waiting"
require "milter/manager/waiting_files"
require "milter/manager/waiting_sqlite"
require "milter/manager/watchdog"
require "milter/manager/connection_checks"
require "milter/manager/event_loop"
require "milter/manager/maintenance"
require "milter/manager/watchdog"
require "milter/manager/decider"
require "milter/manager/conditions"
require "milter/manager/detection"
require "milter/manager/detect_settling"
require "milter/manager/detect_group"
require "milter/manager/configuration"

# What configuration files use without requiring it, as milter manager 2.x had it loaded.
{ Date: "date", DateTime: "date", ERB: "erb", FileUtils: "fileutils", JSON: "json", OpenStruct: "ostruct",
  Pathname: "pathname", Shellwords: "shellwords", StringIO: "stringio", Tempfile: "tempfile",
  YAML: "yaml" }.each { |name, library| Object.autoload(name, library) }

module Milter
  module Manager
    class << self
      # The configuration of this process, once it is being loaded.
      attr_reader :configuration

      # Evaluate DIRECTORY/milter-manager.conf.
      def load_configuration(directory)
        @configuration = Configuration.new(directory)
        LoadGuard.watch { @configuration.load_main }
        @trace&.install(@configuration.conditions.each_value)
        @plan = @configuration.plan
        @limit = @configuration.manager.condition_timeout
        nil
      end

      # What is configured besides settings, for --show-config.
      def dump(with_secrets)
        Secret.are_shown = with_secrets
        @configuration.dump
      end

      # What --detect prints, and how many problems it names.
      def detect(as_json)
        require "milter/manager/diagnosis"
        diagnosis = Diagnosis.new(@configuration, Native.notes).run
        if as_json
          require "json"
          text = "#{JSON.pretty_generate(diagnosis.to_h)}\n"
        else
          text = Diagnosis::Page.new(diagnosis).to_s
        end
        [text, diagnosis.problems.size]
      end

      # Be a worker's Ruby thread until the worker ends: what must not be shared is opened here,
      # and conditions are decided.  Yields the threads of the hooks.
      def run_worker(_number)
        Native.knows_utf8 = Source.utf8?
        threads = @configuration.hooks.start_worker
        yield threads if block_given?
        Decider.new(@plan, @configuration.hooks, @limit).run
        nil
      end

      # Before load_configuration: note what conditions say, for #explain.
      def trace
        require "milter/manager/explain"
        @trace = ExplainTrace.new
      end

      # Ask the conditions about a mail; text to print.
      # @param children [Array<Array>] see Explain; conditions are names
      # @param given [Hash] what the command line says
      def explain(children, given)
        $stdout = $stderr # what blocks print is no part of the explanation
        children.each { |child| child[-1] = child.last.map { |name| @configuration.conditions.fetch(name) } }
        explain = Explain.new(children, @trace, given)
        driver = nil
        run_worker(0) { |hooks| driver = explain.start(hooks) }
        driver.value
        report = ExplainReport.new(explain)
        given["json"] ? report.json : report.text
      end
    end
  end
end
