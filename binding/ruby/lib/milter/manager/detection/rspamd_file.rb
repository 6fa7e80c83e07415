# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # rspamd.conf with all that it includes: the socket of the first worker that speaks the
      # milter protocol.
      class RspamdFile
        YES = /\A(?:yes|true|on|1)\z/i

        def read(root, path)
          config = Config.new
          workers = UCL.new(root, variables(path)).workers(path)
                       .select { |worker| ["rspamd_proxy", "proxy"].include?(worker.name) }
          milters = workers.select { |worker| speaks_milter?(worker) }
          config.socket = milters.flat_map { |worker| worker.settings("bind_socket") }
                                 .min_by { |setting| setting.value.start_with?("systemd:") ? 1 : 0 }
          config.unconfigured = reason(workers, path) if milters.empty?
          config
        end

        private

        def speaks_milter?(worker)
          worker.text("milter").to_s.match?(YES) &&
            !worker.text("enabled").to_s.match?(/\A(?:no|false|off|0)\z/i) &&
            !worker.text("count").to_s.match?(/\A(?:0|-\d+)\z/)
        end

        def reason(workers, path)
          return "not configured: #{path} has no worker \"rspamd_proxy\"" if workers.empty?

          "not configured: no worker \"rspamd_proxy\" is on with \"milter = yes\" " \
            "(#{workers.first.path}:#{workers.first.line})"
        end

        def variables(path)
          directory = File.dirname(path)
          { "CONFDIR" => directory, "LOCAL_CONFDIR" => directory, "RUNDIR" => "/run/rspamd",
            "DBDIR" => "/var/lib/rspamd", "LOGDIR" => "/var/log/rspamd", "SHAREDIR" => "/usr/share/rspamd" }
        end
      end
    end
  end
end
