# frozen_string_literal: true

module Milter
  module Manager
    # `package.platform` …
    class PackageGroup < ItemGroup
      items_of "package"
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
                    :netstat_connection_checker, :report_memory_statistics, :maintained

      def initialize(hooks)
        super()
        @hooks = hooks
      end

      # Call the block in each worker when it starts: the place for connections and threads.
      def worker_started(&block)
        @hooks.add_worker_started(Source.here, block)
      end

      # 2.x's name; the block's argument is the worker's event loop.
      def event_loop_created(&block)
        @hooks.add_event_loop_created(Source.here, block)
      end
    end

    # `controller.connection_spec` …
    class ControllerGroup < ItemGroup
      items_of "controller"
    end

    # `detect.watch` …
    class DetectGroup < ItemGroup
      items_of "detect"

      # A path, or several, that detect.watch is to look at besides what detection read.
      def also_watch(*paths)
        paths.flatten.each do |path|
          unless path.is_a?(String) && File.absolute_path?(path)
            raise ConfigurationError, "detect.also_watch: #{path.inspect} is no absolute path"
          end

          Native.watch(path)
        end
      end
    end

    # `database.type` …
    class DatabaseGroup < ItemGroup
      items_of "database"
      not_available :setup, :load_models
    end
  end
end
