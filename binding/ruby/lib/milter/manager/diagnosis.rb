# frozen_string_literal: true

%w[socket_spec mta diagnosis/access diagnosis/probe diagnosis/entry diagnosis/child_checks diagnosis/call_checks
   diagnosis/setting_checks diagnosis/page].each { |name| require "milter/manager/#{name}" }

module Milter
  module Manager
    # --detect: which milters were found and why, whether they answer, what the MTAs call, and
    # what does not fit together.  Looks only; while the settings can be read.
    class Diagnosis
      include ChildChecks
      include CallChecks
      include SettingChecks

      # What is to be mended, and how.
      Problem = Struct.new(:text, :advice)

      attr_reader :entries, :mtas, :services, :problems, :notes, :account, :spec, :manager_probe, :settings

      # @param configuration [Configuration]
      # @param extra [Array<String>] what loading it had to say
      def initialize(configuration, extra = [])
        @configuration = configuration
        @settings = Settings.new(configuration)
        @spec = SocketSpec.parse(@settings.connection_spec)
        @account = Access.new(@settings.effective_user, @settings.effective_group)
        @problems = []
        @notes = []
        @extra = extra
        @mtas = MTA.find(@settings.root)
        @services = read_services
        @entries = Entry.all(configuration)
      end

      # Ask everybody, and compare.
      def run
        ask
        @extra.each { |text| problem(text, nil) }
        note("detection is off: detect.enabled, #{Native.origin('detect', nil, 'enabled')}") unless @configuration.detect.enabled
        check_children
        check_calls
        check_settings
        self
      end

      # Whether the sockets of this machine are meant.
      def here?
        @settings.root == "/"
      end

      # Whether this process may look everywhere.
      def root?
        Process.euid.zero?
      end

      def children
        @entries.select(&:active?)
      end

      def to_h
        {
          manager: { configuration: @settings.directory, platform: @settings.platform, root: @settings.root,
                     connection_spec: @settings.connection_spec, user: @account.name, groups: @account.group_names,
                     looked_as_root: root?, probe: @manager_probe&.to_h },
          milters: @entries.map(&:to_h),
          mtas: @mtas.map { |mta| { name: mta.name, services: mta.services.map { |service| describe(service) } } },
          problems: @problems.map(&:to_h), notes: @notes
        }
      end

      # Whether a service calls the manager.
      def calls_manager?(service)
        service.milters.any? { |call| call.spec&.reaches?(@spec) }
      end

      private

      def problem(text, advice)
        @problems << Problem.new(text, advice)
      end

      def note(text)
        @notes << text
      end

      def read_services
        @mtas.flat_map(&:services)
      rescue SystemCallError => error
        @mtas = []
        problem("the MTA's files cannot be read: #{error.message.sub(/ @ \w+ - /, ': ')}",
                root? ? nil : "run it as root")
        []
      end

      def ask
        return unless here?

        results = Probe.ask([@spec, *@entries.filter_map(&:socket)].compact)
        @manager_probe = results[@spec.to_s] if @spec
        @entries.each { |entry| entry.probe = results[entry.socket.to_s] if entry.socket }
      end

      def describe(service)
        { name: service.name, role: service.role, origin: service.origin, setting: service.setting,
          chroot: service.chroot, calls_manager: calls_manager?(service), no_milters: service.no_milters,
          milters: service.milters.map { |call| { text: call.text, spec: call.spec&.to_s, origin: call.origin, error: call.error } },
          macros: service.macros.transform_values(&:to_h) }
      end

      # What the configuration says, as far as it matters here.
      class Settings
        def initialize(configuration)
          @configuration = configuration
        end

        def connection_spec = @configuration.manager.connection_spec
        def effective_user = @configuration.security.effective_user
        def effective_group = @configuration.security.effective_group
        def startup_grace = @configuration.manager.startup_grace
        def timeouts = @configuration.manager.mta_timeouts
        def platform = @configuration.package.platform
        def root = @configuration.package.root
        def directory = @configuration.directory
      end
    end
  end
end
