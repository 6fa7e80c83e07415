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

      # Ask the block whether a client is still there, besides the kernel's table: every
      # connection_check_interval seconds, while its session waits for a child.
      def define_connection_checker(name, &block)
        @hooks.define_connection_checker(name, Source.here, block)
        Native.checks_connections = true
      end

      # Look for clients in the kernel's table of connections, every INTERVAL seconds.
      def use_netstat_connection_checker(interval = 5)
        self.connection_check_interval = interval
      end

      def netstat_connection_checker
        @netstat_connection_checker ||= NetstatConnectionChecker.new
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
  end
end
