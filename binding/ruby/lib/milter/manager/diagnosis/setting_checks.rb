# frozen_string_literal: true

module Milter
  module Manager
    class Diagnosis
      # Macros: what conditions and children look at, and what the MTA sends.
      module SettingChecks
        private

        def check_settings
          senders = @services.select { |service| calls_manager?(service) && service.role == :smtp }
          needs.each { |need, users| check_need(need, users, senders) }
          children.each { |entry| note_missing(entry, senders) }
        end

        # Need => names of conditions that children have.
        def needs
          used = children.flat_map(&:conditions).uniq
          @configuration.conditions.values_at(*(used | members(used))).compact.each_with_object({}) do |condition, all|
            MTA::ConditionMacros.of(condition).each { |need| (all[need] ||= []) << condition.name }
          end
        end

        # Conditions that are combined in others: their names are in those of the combinations.
        def members(names)
          @configuration.conditions.keys.select { |name| names.any? { |each| each.include?(name.dump) } }
        end

        # Where a child asks for macros, the manager asks the MTA for the documented ones, too,
        # and its settings do not count.
        def asked_for?(stage)
          children.any? { |entry| entry.probe&.macros&.fetch(stage, []).to_a.any? }
        end

        def check_need(need, conditions, services)
          services.each do |service|
            known = need.names.select { |name| known?(service, name) }
            next if known.empty? || need.stages.any? { |stage| sent?(service, stage, known) }

            stage = need.stages.last
            value = service.macros[stage]
            problem("condition #{conditions.map(&:dump).join(', ')} looks at {#{known.join('} or {')}} (#{need.origin}), " \
                    "which #{service} does not send (#{value&.origin})",
                    "remove the setting there, or add {#{known.join('} {')}} to it; or manager.extra_macros")
          end
        end

        def sent?(service, stage, names)
          asked_for?(stage) || names.any? { |name| service.sends?(stage, name) }
        end

        # Macros that only Sendmail has.
        def known?(service, name)
          service.mta == "Sendmail" || !%w[if_addr if_name auth_ssf].include?(name) || service.extras.include?(name)
        end

        def note_missing(entry, services)
          return unless entry.probe

          services.each do |service|
            wanted = entry.probe.macros.values.flatten.uniq
            missing = wanted.reject { |name| MTA::ConditionMacros::KNOWN.include?(name) && known?(service, name) }
                            .reject { |name| service.extras.include?(name) }
            next if missing.empty?

            note("#{entry.name} asks for {#{missing.join('} {')}}, which #{service} does not have" \
                 "#{'; milter_macro_defaults can give a value' if service.mta == 'Postfix'}")
          end
        end
      end
    end
  end
end
