# frozen_string_literal: true

module Milter
  module Manager
    class Diagnosis
      # What is wrong with the milters themselves, and with the manager's way to them.
      module ChildChecks
        private

        def check_children
          nothing_found if children.empty?
          @entries.each do |entry|
            entry.candidate&.errors&.each { |text| problem("#{entry.name}: #{text}", "mend the file, then reload") }
            check_socket(entry) if entry.wanted?
            entry.permission = permission(entry) if entry.socket&.unix? && here?
          end
          children.each { |entry| check_answer(entry) }
          check_doubles
        end

        def nothing_found
          problem("no milter is used: nothing is filtered",
                  "install and enable milters, or define_milter in #{@settings.directory}/milter-manager.local.conf")
        end

        def check_socket(entry)
          return if entry.socket || entry.candidate&.errors&.any?

          said = entry.connection_spec ? "says #{entry.connection_spec.inspect}" : "is not told by its files"
          problem("#{entry.name} (#{entry.candidate&.unit || 'milter-manager.conf'}): where it listens #{said}",
                  "name its socket in its configuration, or set milter.connection_spec for \"#{entry.name}\" in " \
                  "milter-manager.local.conf")
        end

        def check_answer(entry)
          result = entry.probe
          if result&.listening && !result.answers?
            problem("#{entry.name}: #{entry.connection_spec} is no milter that answers: #{result.error}",
                    "look at what listens there (ss -xlp, ss -tlp) and at its log")
          elsif result && !result.listening && !result.denied?
            problem("#{entry.name}: nothing listens at #{entry.connection_spec} (#{entry.spec_origin}): #{result.error}",
                    start_advice(entry))
          end
          problem("#{entry.name}: #{entry.obstacle.text}", entry.obstacle.advice) if entry.obstacle
        end

        def start_advice(entry)
          unit = entry.candidate&.unit_name
          unit ? "start it and look why it does not run (systemctl status #{unit})" : "start it, or mend its connection_spec"
        end

        # What the user who handles mail may do there, as a phrase.
        def permission(entry)
          return "there is no user #{@account.name}" unless @account.known?

          entry.obstacle = @account.obstacle(entry.socket.path)
          entry.obstacle ? entry.obstacle.text : "user #{@account.name} may connect"
        rescue Errno::ENOENT
          nil # that there is none is said already
        rescue SystemCallError
          "cannot be told by this user: run it as root"
        end

        def check_doubles
          children.group_by { |entry| entry.socket&.key }.each do |socket, all|
            next if socket.nil? || all.size < 2 || all.map { |entry| entry.candidate&.unit }.uniq == [all.first.candidate&.unit]

            problem("#{all.map(&:name).join(' and ')} have the same socket, #{all.first.socket}: the milter is asked #{all.size} times",
                    "remove_milter(#{all.last.name.dump}) in milter-manager.local.conf, or give one another socket")
          end
        end
      end
    end
  end
end
