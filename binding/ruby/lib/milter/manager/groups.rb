# frozen_string_literal: true

module Milter
  module Manager
    # `package.platform` …
    class PackageGroup < ItemGroup
      items_of "package"

      # One of package.options, or nil.
      def option(name)
        options.to_s.split(",").map { |each| each.split("=", 2) }.to_h[name.to_s]
      end
    end

    # `security.effective_user` …
    class SecurityGroup < ItemGroup
      items_of "security"
    end

    # `log.level` …
    class LogGroup < ItemGroup
      items_of "log"
    end

    # `manager.connection_spec` …, and what is run in the workers.
    class ManagerGroup < ItemGroup
      items_of "manager"
      not_available :define_connection_checker, :use_netstat_connection_checker,
                    :netstat_connection_checker

      def initialize(hooks)
        super()
        @hooks = hooks
      end

      # Call the block in each worker when it starts: the place for connections and threads.
      def worker_started(&block)
        @hooks.add_worker_started(Source.here, block)
      end

      # Call the block with the loop of each worker's Ruby thread: see EventLoop.
      def event_loop_created(&block)
        @hooks.add_event_loop_created(Source.here, block)
      end

      # Call the block in each worker after every maintenance_interval finished sessions.
      def maintained(&block)
        @hooks.add_maintained(Source.here, block)
      end

      # Log memory and Ruby's objects at every maintenance.
      def report_memory_statistics
        @hooks.reports_memory = true
      end
    end

    # `controller.connection_spec` …
    class ControllerGroup < ItemGroup
      items_of "controller"
    end

    # `database.type` …
    class DatabaseGroup < ItemGroup
      items_of "database"
      not_available :setup, :load_models
    end
  end
end
