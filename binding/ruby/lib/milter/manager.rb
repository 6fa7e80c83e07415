# frozen_string_literal: true

# The part of milter-manager that is written in Ruby: the configuration language.
# The daemon starts an interpreter, defines Milter::Manager::Native, requires this file and
# calls the functions below.
require "etc"
require "milter/logger"
require "milter/manager/errors"
require "milter/manager/failure"
require "milter/manager/source"
require "milter/manager/load_guard"
require "milter/manager/item_group"
require "milter/manager/groups"
require "milter/manager/child_settings"
require "milter/manager/condition"
require "milter/manager/hooks"
require "milter/socket_address"
require "milter/manager/plan"
require "milter/manager/session"
require "milter/manager/context"
require "milter/manager/scheduler"
require "milter/manager/threads"
require "milter/manager/waiting"
require "milter/manager/decision"
require "milter/manager/event_loop"
require "milter/manager/maintenance"
require "milter/manager/decider"
require "milter/manager/conditions"
require "milter/manager/detection"
require "milter/manager/detect_group"
require "milter/manager/configuration"

module Milter
  module Manager
    class << self
      # The configuration of this process, once it is being loaded.
      attr_reader :configuration

      # Evaluate DIRECTORY/milter-manager.conf.
      def load_configuration(directory)
        @configuration = Configuration.new(directory)
        LoadGuard.watch { @configuration.load_main }
        @plan = @configuration.plan
        @n_workers = @configuration.manager.n_workers
        @limit = @configuration.manager.condition_timeout
        nil
      end

      # What is configured besides settings, for --show-config.
      def dump
        @configuration.dump_tuning + @configuration.conditions.each_value.map(&:dump).join
      end

      # Be a worker's Ruby thread until the worker ends: what must not be shared is opened here,
      # and conditions are decided.
      def run_worker(_number)
        @configuration.hooks.start_worker
        n_workers = @n_workers.zero? ? Etc.nprocessors : @n_workers
        Decider.new(@plan, n_workers, @configuration.hooks, @limit).run
        nil
      end
    end
  end
end
