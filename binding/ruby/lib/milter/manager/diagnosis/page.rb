# frozen_string_literal: true

module Milter
  module Manager
    class Diagnosis
      # The diagnosis as text for an administrator.
      class Page
        WIDTH = 100
        LABEL = 14

        # @param diagnosis [Diagnosis]
        def initialize(diagnosis)
          @diagnosis = diagnosis
          @lines = []
        end

        def to_s
          head
          milters
          mtas
          notes
          problems
          "#{@lines.join("\n")}\n"
        end

        private

        def head
          d = @diagnosis
          groups = d.account.group_names
          title("MILTER-MANAGER")
          item("configuration", "#{d.settings.directory}, platform #{d.settings.platform}" \
                                "#{d.here? ? '' : ", looking below #{d.settings.root}"}")
          item("user", "#{d.account.name}#{groups.empty? ? '' : ", groups #{groups.join(' ')}"}")
          item("socket", d.settings.connection_spec + (d.manager_probe ? ", #{answer(d.manager_probe)}" : ""))
          item("looked as", "this user, not root: what others may not read was not seen") unless d.root?
        end

        def milters
          used, others = @diagnosis.entries.partition(&:active?)
          title("MILTERS IN USE, in the order in which they see a mail")
          line("none") if used.empty?
          used.each_with_index { |entry, i| milter(entry, "#{i + 1}. ") }
          return if others.empty?

          title("MILTERS NOT IN USE")
          others.each { |entry| milter(entry, "-  ") }
        end

        def milter(entry, mark)
          line("#{mark}#{entry.name}#{entry.candidate && entry.candidate.kind != entry.name ? " (#{entry.candidate.kind})" : ''}")
          found(entry.candidate) if entry.candidate
          item(entry.active? ? "used because" : "not used:", entry.reason)
          item("socket", "#{entry.connection_spec || 'not known'}#{entry.spec_origin && " (#{entry.spec_origin})"}")
          item("now", answer(entry.probe)) if entry.probe
          item("permission", entry.permission) if entry.permission
          item("conditions", conditions(entry)) unless entry.conditions.empty?
          item("evaluation", "its verdict and changes are logged and dropped") if entry.child&.evaluation_mode
          entry.candidate&.errors&.each { |text| item("error", text) }
        end

        def found(candidate)
          item("unit", candidate.unit)
          item("place", Detection::Roles.reason(candidate.role)) if candidate.role
        end

        def conditions(entry)
          names = entry.conditions.map { |name| name.include?('"') ? name : name.dump }
          "used only if #{names.join(' and ')}"
        end

        def answer(probe)
          return "listens and answers: protocol #{probe.version}, actions 0x#{probe.actions.to_s(16)}, steps 0x#{probe.steps.to_s(16)}" if probe.answers?

          return "cannot be told: #{probe.error}" if probe.denied?

          "#{probe.listening ? 'listens, but' : 'does not listen:'} #{probe.error}"
        end

        def mtas
          @diagnosis.mtas.each do |mta|
            title("#{mta.name.upcase} (#{mta.respond_to?(:directory) ? mta.directory : mta.file})")
            mta.services.each { |service| service(service) }
          end
        end

        def service(service)
          line("#{service.name} (#{service.origin})#{{ return: ': mail back from a content filter', local: ': mail of local programs' }[service.role]}")
          setting, origin = service.setting
          calls = service.milters.map { |call| "#{call.text}#{' = the manager' if call.spec&.reaches?(@diagnosis.spec)}" }
          calls = ["none"] if calls.empty?
          calls = ["none: no_milters (#{service.no_milters})"] if service.no_milters
          item("calls", "#{calls.join(', ')} (#{setting}, #{origin})")
          item("chroot", service.chroot) if service.chroot
        end

        def notes
          return if @diagnosis.notes.empty?

          title("TO BE KNOWN")
          @diagnosis.notes.uniq.each { |text| wrap("-  ", text) }
        end

        def problems
          title(@diagnosis.problems.empty? ? "NO PROBLEMS WERE FOUND" : "PROBLEMS")
          @diagnosis.problems.each_with_index do |problem, i|
            wrap(format("%2d. ", i + 1), problem.text)
            wrap("    -> ", problem.advice) if problem.advice
          end
        end

        def title(text)
          @lines << "" unless @lines.empty?
          @lines << text
        end

        def line(text)
          @lines << "  #{text}"
        end

        def item(label, text)
          wrap("    #{label.ljust(LABEL)}", text)
        end

        # Lines of at most WIDTH columns, where words allow it.
        def wrap(first, text)
          indent = " " * first.size
          line = nil
          text.to_s.split(" ").each do |word|
            if line.nil? then line = first + word
            elsif line.size + 1 + word.size <= WIDTH then line << " " << word
            else
              @lines << line
              line = indent + word
            end
          end
          @lines << (line || first.rstrip)
        end
      end
    end
  end
end
