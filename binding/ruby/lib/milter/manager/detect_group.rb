# frozen_string_literal: true

module Milter
  module Manager
    # `detect.order` …, and the words of defaults/PLATFORM.conf:
    #
    #   detect.milter "clamav-milter", conditions: ["Remote Network"]
    #   detect.others
    #   detect.register
    class DetectGroup < ItemGroup
      include DetectSettling

      items_of "detect"

      ORIGIN = "detected:"
      SIGN = "-sign"

      # What was registered as a child, by its name (Detection::Candidate).
      attr_reader :registered

      # @param configuration [Configuration]
      def initialize(configuration)
        super()
        @configuration = configuration
        @kinds = {}
        @others = nil
        @registered = {}
        @touched = []
        @reasons = {}
        @replaced = {}
      end

      # Look for milters of that kind (see Detection::Kinds); with CONDITIONS as default conditions.
      def milter(kind, conditions: [])
        Detection::Kinds.find(kind)
        @kinds[kind] = conditions
      rescue KeyError => error
        raise ConfigurationError, "detect.milter: there is no kind #{error.message}"
      end

      # Look for milters of kinds that are not known, too.
      def others(conditions: [])
        @others = conditions
      end

      # What is below package.root, as detection sees it.
      def detection
        @detection ||= Detection.new(root: @configuration.package.root, kinds: @kinds, others: @others,
                                     platform: @configuration.package.platform, options: package_options)
      end

      # All that was found (Detection::Candidate), in the advised order.
      def candidates
        enabled && looking? ? detection.candidates : []
      end

      # Why NAME is used or not, where it is not for what the system says; or nil.
      def reason(name)
        return @reasons[name] if child?(name) || @reasons.key?(name)

        removal = @configuration.journal.removals[name]
        removal && "removed at #{removal}"
      end

      # Define a child for each milter that was found.
      def register
        candidates.each { |candidate| define(candidate) }
        split_roles if enabled
      end

      def both_roles=(names)
        assign("both_roles", names)
        split_roles if @registered.any?
      end

      # Whether NAME is a milter that detection looks for and that is not there: the operator
      # may speak of it all the same.
      def absent?(name)
        Detection::Kinds::ALL.any? { |kind| @kinds.key?(kind.name) && kind.called?(name) }
      end

      # The operator has defined NAME.
      def touch(name)
        @touched << name if !@registered.key?(name) && absent?(name)
      end

      # When everything is loaded: what is not there is off, and the order is settled.
      def settle
        return unless looking?

        settle_all
        tell
        detection.root.watchable.each { |path| Native.watch(path) } if enabled
      end

      # A path, or several, that detect.watch is to look at besides what detection read.
      def also_watch(*paths)
        paths.flatten.each do |path|
          unless path.is_a?(String) && File.absolute_path?(path)
            raise ConfigurationError, "detect.also_watch: #{path.inspect} is no absolute path"
          end

          Native.watch(path)
        end
      end

      private

      # Whether the configuration names anything to look for.
      def looking?
        @kinds.any? || !@others.nil?
      end

      def package_options
        %w[prefix rcddir].to_h { |name| [name, @configuration.package.option(name)] }.compact
      end

      def define(candidate)
        name = candidate.name
        if same_socket?(candidate.connection_spec, @configuration.manager.connection_spec)
          @reasons[name] = "its socket is the manager's own"
          return
        end

        Native.define_child(name, Source.here)
        @registered[name] = candidate
        set(candidate, "connection_spec", candidate.connection_spec, candidate.spec_origin)
        set(candidate, "enabled", candidate.enabled?, candidate.unit)
        %w[description command command_options].each do |item|
          set(candidate, item, candidate.public_send(item), candidate.unit)
        end
        candidate.timeouts.each do |item, seconds|
          set(candidate, item, Native.get("milter", name, item) + seconds, candidate.unit)
        end
        apply(name, candidate.conditions)
      end

      # What the operator has set already stays.
      def set(candidate, item, value, origin)
        return if value.nil? || (value.respond_to?(:empty?) && value.empty?)
        return if Native.origin("milter", candidate.name, item)

        Native.set("milter", candidate.name, item, value, "#{ORIGIN}#{origin}")
      end

      def apply(name, conditions)
        return if conditions.empty? || Native.origin("milter", name, "applicable_conditions")

        known, unknown = conditions.partition { |each| @configuration.conditions.key?(each) }
        unknown.each do |each|
          Native.note("#{Source.here}: milter \"#{name}\": there is no applicable condition \"#{each}\"; " \
                      "it takes part without")
        end
        Native.set("milter", name, "applicable_conditions", known, Source.here)
      end

      # NAME where it verifies, for what comes from outside, and NAME-sign at the end, for what
      # is ours: each mail sees one of them.
      def split_roles
        both_roles.each do |name|
          candidate = @registered[name]
          next if @registered.key?("#{name}#{SIGN}")

          unless candidate && candidate.roles.size > 1
            Native.note("detect.both_roles: #{name} #{candidate ? 'has one role only' : 'was not found'}")
            next
          end
          split(name, candidate)
        end
      end

      def split(name, candidate)
        ours = @configuration.any_of("Authenticated", @configuration.none_of("Remote Network"))
        outside = candidate.conditions | ["Remote Network", "Unauthenticated"]
        define(candidate.for_role(:sign, "#{name}#{SIGN}", candidate.conditions | [ours]))
        @registered[name] = candidate.for_role(:verify, name, outside)
        apply(name, outside)
      end

      def tell
        (@configuration.defined_milters & @registered.keys).each { |name| tell_of(name, @registered[name]) }
        @registered.values.flat_map(&:errors).uniq.each { |error| Native.note("detection: #{error}") }
      end

      def tell_of(name, candidate)
        if Native.get("milter", name, "enabled")
          Native.announce("detection: milter=#{name} spec=#{Native.get('milter', name, 'connection_spec')} " \
                          "unit=#{candidate.unit} place=\"#{place(candidate)}\"")
        else
          Native.announce("detection: milter=#{name} is not used: #{reason(name) || candidate.reason}")
        end
      end

      def place(candidate)
        return "as in detect.order" if order.any? { |word| called?(candidate.name, word) }

        Detection::Roles.reason(candidate.role)
      end
    end
  end
end
