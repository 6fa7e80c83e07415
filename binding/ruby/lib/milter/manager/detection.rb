# frozen_string_literal: true

%w[
  setting root roles candidate socket_spec options unit_file unit_words environment_file units unit
  shell_lexer shell_parser shell_expansion shell_test shell service unit_services init_scripts rc_scripts
  config_file ucl rspamd_file kind kinds other_kind socket_finder
].each { |name| require "milter/manager/detection/#{name}" }
require "milter/manager/socket_spec"

module Milter
  module Manager
    # Finds the milters that the system starts, from its files alone: it runs nothing.
    #
    #   Detection.new(root: "/", platform: "debian").candidates
    class Detection
      FREEBSD_SCRIPTS = %w[/usr/local/etc/rc.d /etc/rc.d].freeze
      FREEBSD_ETC = %w[/usr/local/etc /usr/local/etc/mail /etc].freeze
      PKGSRC_ETC = "/usr/pkg/etc"

      attr_reader :root

      # @param root [String] directory that is taken for "/"
      # @param platform [String] "debian", "redhat", "freebsd" or "pkgsrc"
      # @param options [Hash] "prefix", "rcddir": see package.options
      # @param kinds [Hash{String => Array<String>}] names of kinds to look for, with the
      #   conditions of their candidates; nil: all that are known
      # @param others [Array<String>, nil] conditions of milters of no known kind; nil: leave them out
      def initialize(root: "/", platform: "debian", options: {}, kinds: nil, others: [])
        @root = Root.new(root)
        @platform = platform.sub(/\d+\z/, "")
        @options = options
        @kinds = (kinds || Kinds::ALL.to_h { |kind| [kind.name, []] }).transform_keys { |name| Kinds.find(name) }
        @kinds[OtherKind.new] = others if others
      end

      # All that was found, in the advised order.
      def candidates
        @candidates ||= begin
          found = services.filter_map { |service| candidate(service) }
          without_doubles(found.sort_by.with_index { |each, i| [Roles.rank(each.role), place(each), i] })
        end
      end

      private

      # In one role, kinds keep the order in which they are listed.
      def place(candidate)
        @kinds.keys.index { |kind| kind.name == candidate.kind }
      end

      def services
        case @platform
        when "freebsd" then RcScripts.new(@root, FREEBSD_SCRIPTS, "/usr/local/etc", "_enable", wanted).to_a
        when "pkgsrc" then RcScripts.new(@root, [rc_directory, "/etc/rc.d"], prefix, "", wanted).to_a
        else linux_services
        end
      end

      def linux_services
        units = Units.new(@root)
        units = nil unless units.used?
        (units ? UnitServices.new(@root, units, wanted).to_a : []) + InitScripts.new(@root, units, wanted).to_a
      end

      # Whether a name or text has to do with one of the kinds: most files are not read further.
      def wanted
        hint = Regexp.union(@kinds.keys.map(&:hint))
        ->(name, text) { name.match?(hint) || text.match?(hint) }
      end

      def prefix
        @options.fetch("prefix", PKGSRC_ETC)
      end

      def rc_directory
        @options.fetch("rcddir") { "#{prefix}/rc.d" }
      end

      # Where configurations are.
      def etc
        case @platform
        when "freebsd" then FREEBSD_ETC
        when "pkgsrc" then [prefix, "#{prefix}/mail", "/etc"]
        else ["/etc"]
        end
      end

      def candidate(service)
        kind = @kinds.keys.find { |each| each.of?(service) }
        kind && examine(kind, service)
      rescue StandardError => error # whatever a file may hold, the others are found
        failed(kind, service, error)
      end

      def examine(kind, service)
        found = SocketFinder.new(@root, etc, kind, service).find
        return if kind.is_a?(OtherKind) && found.spec.nil? && !kind.sure?(service)

        roles = kind.roles(found.words, found.config)
        enabled, reason = state(service, found)
        Candidate.new(name: service.name, kind: kind.name, unit: service.path, unit_name: service.unit_name,
                      enabled: enabled, reason: reason,
                      connection_spec: found.spec, spec_origin: found.setting&.origin,
                      description: service.description, command: service.start&.first,
                      command_options: service.start&.drop(1), conditions: @kinds.fetch(kind), user: service.user,
                      timeouts: timeouts(found.config), roles: roles, errors: service.errors)
      end

      def state(service, found)
        return [false, service.reason] unless service.enabled?
        return [false, found.unconfigured] if found.unconfigured

        [true, found.spec ? service.reason : "#{service.reason}, but #{found.reason}"]
      end

      # What a milter waits on purpose comes on top.
      def timeouts(config)
        delay = config&.delay or return {}

        { "reading_timeout" => delay.value, "writing_timeout" => delay.value }
      end

      def failed(kind, service, error)
        service.errors << Service.reason(service.path, error)
        Candidate.new(name: service.name, kind: kind&.name || OtherKind::NAME, unit: service.path,
                      unit_name: service.unit_name, enabled: false, reason: "it cannot be examined",
                      errors: service.errors)
      end

      # Two units on one socket are one milter, and mail is to pass it once.
      def without_doubles(candidates)
        seen = {}
        names = Hash.new(0)
        candidates.each do |each|
          next unless each.usable?

          first = (seen[Manager::SocketSpec.key(each.connection_spec)] ||= each)
          each.disable("the same socket as that of #{first.name} (#{first.unit})") if first != each
        end
        candidates.sort_by.with_index { |each, i| [each.usable? ? 0 : 1, i] }
                  .select { |each| (names[each.name] += 1) == 1 }
                  .then { |kept| candidates & kept }
      end
    end
  end
end
