# frozen_string_literal: true

module Milter
  module Manager
    class Diagnosis
      # Who calls whom: the MTAs' services, the manager, the children.
      module CallChecks
        private

        def check_calls
          check_manager
          return note("no configuration of Postfix or Sendmail was found; the MTA is elsewhere?") if @services.empty?

          @services.each { |service| check_service(service) }
          check_callers
        end

        def check_manager
          return if @manager_probe.nil? || @manager_probe.answers? || @manager_probe.denied?
          return check_silence if @manager_probe.silent?

          what = @manager_probe.listening ? "is no milter that answers" : "is not listened at"
          problem("the manager's own socket #{@settings.connection_spec} #{what}: #{@manager_probe.error}",
                  "start milter-manager, and look at its log")
        end

        # The manager answers when its children have: those that are down are waited for.
        def check_silence
          text = "the manager's own socket #{@settings.connection_spec} accepts connections, but has not answered the " \
                 "negotiation within #{Probe::DEADLINE.to_i} s"
          down = children.select { |entry| entry.probe && !entry.probe.answers? }.map(&:name)
          return problem(text, "look at its log, and at what listens there (ss -xlp, ss -tlp)") if down.empty?

          note("#{text}: after a start it waits up to #{@settings.startup_grace.to_i} s (manager.startup_grace) for children " \
               "that do not answer, here #{down.join(', ')}; if that lasts, look at its log")
        end

        def check_service(service)
          service.notes.each { |text| note(text) }
          service.milters.each { |call| check_call(service, call) }
          return unless calls_manager?(service)

          check_return(service)
          check_way(service)
          check_times(service)
        end

        def check_call(service, call)
          return problem("#{service}: #{call.text} (#{call.origin}) #{call.error}", "mend #{call.origin}") if call.error

          children.each do |entry|
            next unless entry.socket && call.spec&.reaches?(entry.socket)

            how = calls_manager?(service) ? "so it is asked twice" : "and not through the manager"
            problem("#{service} calls #{entry.name} itself (#{call.text}, #{call.origin}), #{how}",
                    "remove it there, or remove_milter(#{entry.name.dump}) in milter-manager.local.conf")
          end
        end

        # A content filter hands the mail back to the MTA.
        def check_return(service)
          return if service.role != :return || service.no_milters

          problem("#{service} takes mail back from the content filter and calls the manager again",
                  "add to it in master.cf: -o receive_override_options=no_milters (or -o smtpd_milters=)")
        end

        # May the MTA connect to the manager's socket?
        def check_way(service)
          return unless @spec.unix? && here?

          user = Access.new(service.user)
          obstacle = user.known? ? user.obstacle(@spec.path) : nil
          return unless obstacle

          problem("#{service}: #{obstacle.text}",
                  "manager.unix_socket_group = #{Etc.getgrgid(Etc.getpwuid(user.uid).gid).name.dump} and a directory " \
                  "that it can enter")
        rescue Errno::ENOENT
          nil # that nobody listens is said elsewhere
        rescue SystemCallError
          note("whether #{service.user} may connect to #{@spec} cannot be told by this user; run it as root")
        end

        # Paths of a chrooted service are below its directory.
        def outside_chroot?(service)
          service.chroot && @spec&.unix? && service.milters.any? do |call|
            call.spec&.unix? && call.spec.path.delete_prefix(service.chroot) == @spec.path
          end
        end

        def check_callers
          silent = @services.reject { |service| calls_manager?(service) || service.no_milters || service.role == :return }
          boxed, silent = silent.partition { |service| outside_chroot?(service) }
          boxed.each { |service| problem(*boxed_text(service)) }
          smtp = @services.select { |service| service.role == :smtp }
          if boxed.empty? && smtp.none? { |service| calls_manager?(service) }
            return nobody_calls(smtp)
          end

          silent.each { |service| note(silent_text(service)) }
        end

        def boxed_text(service)
          ["#{service} is chrooted to #{service.chroot}: it looks for the manager's socket at " \
           "#{service.chroot}#{@spec.path}, but that is #{@spec.path}",
           "manager.connection_spec = \"unix:#{service.chroot}/milter-manager/milter-manager.sock\", or inet, or n in the " \
           "chroot column of #{service.origin}"]
        end

        def nobody_calls(services)
          settings = services.map { |service| service.setting.join(", ") }.uniq
          problem("no service of the MTA calls the manager (#{@settings.connection_spec}); #{settings.join('; ')}",
                  @mtas.map { |mta| mta.advice(@spec) }.join("; "))
        end

        def silent_text(service)
          setting, origin = service.setting
          return "#{service}: its mail does not go through the manager (#{setting}, #{origin})" unless service.role == :local

          "#{service}: mail of local programs (sendmail command, cron) does not go through the manager; where that is " \
            "not wanted: #{setting} = $smtpd_milters"
        end

        # The manager must have answered before the MTA gives up.
        def check_times(service)
          ours = @settings.timeouts[service.mta.downcase] or return
          call = service.milters.find { |each| each.spec&.reaches?(@spec) }
          %i[command content eom].each do |step|
            theirs, origin = call.timeouts[step] ? [call.timeouts[step], call.origin] : service.timeouts[step]&.to_a
            next unless theirs && ours[step.to_s] && step_of_mta?(service, step) && theirs < ours[step.to_s]

            problem("#{service} waits #{theirs} s for a milter (#{origin}), the manager counts on #{ours[step.to_s].to_i} s",
                    "manager.mta_timeouts = { \"#{service.mta.downcase}\" => { \"#{step}\" => #{theirs} } }, or more time there")
          end
        end

        # Postfix has no limit of its own for all of end of message.
        def step_of_mta?(service, step)
          service.mta == "Sendmail" || step != :eom
        end
      end
    end
  end
end
