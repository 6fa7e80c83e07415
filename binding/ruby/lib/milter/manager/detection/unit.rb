# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # One unit with its drop-ins: the values of its keys as systemd puts them together.
      class Unit
        attr_reader :name, :path, :errors

        def initialize(units, root, name)
          @units = units
          @root = root
          @name = name
          @errors = []
          @path = (units.paths(name) + units.paths(units.template_of(name))).find { |file| !@root.void?(file) } ||
                  units.mask(name)
          @entries = ([@path].compact + units.drop_ins(names)).flat_map { |file| read(file) }
        end

        # Its name and the other ones.
        def names
          @names ||= [@name] + @units.aliases(@name)
        end

        # The last value of KEY, or nil.
        def value(section, key)
          last = list(section, key).last
          last&.with(UnitWords.specify(last.value, @name))
        end

        def text(section, key)
          value(section, key)&.value
        end

        # All values of KEY; an empty one forgets those before it.
        def list(section, key)
          @entries.each_with_object([]) do |entry, values|
            next unless entry.section == section && entry.key == key

            entry.setting.value.empty? ? values.clear : values << entry.setting
          end
        end

        def true?(section, key)
          %w[1 yes y true t on].include?(text(section, key).to_s.downcase)
        end

        # Whether systemd starts it, and why.
        def state
          mask = @units.mask(@name)
          return [false, "masked by #{mask}"] if mask

          link = names.filter_map { |each| @units.links[each] }.first
          return [true, "enabled by #{link}"] if link

          alias_link = alias_link()
          return [true, "enabled by its alias #{alias_link}"] if alias_link

          [false, "not enabled: no link to it in a *.wants directory (systemctl enable #{@name})"]
        end

        private

        # The link by which an alias of [Install] was switched on.
        def alias_link
          wanted = list("Install", "Alias").flat_map { |setting| UnitWords.specify(setting.value, @name).split }
          (names.drop(1) & wanted).map { |each| @units.paths(each).first }
                                  .find { |path| path.start_with?("/etc/", "/run/") }
        end

        def read(file)
          return [] if @root.void?(file)

          UnitFile.parse(@root.read(file).to_s, file) { |problem| @errors << problem.message }
        rescue Problem => problem
          @errors << problem.message
          []
        end
      end
    end
  end
end
