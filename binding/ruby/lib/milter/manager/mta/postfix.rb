# frozen_string_literal: true

module Milter
  module Manager
    module MTA
      # One instance of Postfix.
      class Postfix
        DIRECTORIES = %w[/etc/postfix /usr/local/etc/postfix /usr/pkg/etc/postfix].freeze
        # What Postfix sends unless milter_*_macros say otherwise.
        MACROS = {
          connect: ["milter_connect_macros", "j {daemon_name} {daemon_addr} v _"],
          helo: ["milter_helo_macros", "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}"],
          mail: ["milter_mail_macros", "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}"],
          rcpt: ["milter_rcpt_macros", "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"],
          data: ["milter_data_macros", "i"],
          eoh: ["milter_end_of_header_macros", "i"],
          eom: ["milter_end_of_data_macros", "i"]
        }.freeze
        TIMES = { connect: ["milter_connect_timeout", "30s"], command: ["milter_command_timeout", "30s"],
                  content: ["milter_content_timeout", "300s"] }.freeze
        # Ports where mail comes in from outside; a service elsewhere may be a filter's way back.
        PUBLIC = %w[smtp 25 submission 587 submissions smtps 465].freeze

        class << self
          # All instances below ROOT.
          def find(root = "/")
            found = readable(DIRECTORIES, root)
            found.flat_map { |directory| [directory, *more(directory, root)] }.uniq
                 .map { |directory| new(directory) }
          end

          private

          def readable(directories, root)
            directories.map { |directory| File.join(root, directory) }
                       .select { |directory| File.file?(File.join(directory, "main.cf")) }
          end

          def more(directory, root)
            readable(PostfixFiles.new(directory).value("multi_instance_directories").text.split(/[\s,]+/), root)
          end
        end

        attr_reader :directory

        def initialize(directory)
          @directory = directory
          @files = PostfixFiles.new(directory)
        end

        def name
          "Postfix"
        end

        # @return [Array<Service>]
        def services
          @services ||= smtp_services + local_services
        end

        # The setting that an administrator changes, and to what.
        def advice(spec)
          target = spec.unix? ? "unix:#{inside(spec.path)}" : "inet:#{host(spec)}:#{spec.port}"
          "in #{@directory}/main.cf: smtpd_milters = #{target}"
        end

        private

        def host(spec)
          return "127.0.0.1" if spec.everywhere?

          spec.host.include?(":") ? "[#{spec.host}]" : spec.host
        end

        # A path as a service sees it: below the queue directory without it.
        def inside(path)
          path.start_with?("#{queue}/") ? path.delete_prefix("#{queue}/") : path
        end

        def queue
          @files.value("queue_directory", "/var/spool/postfix").text
        end

        def smtp_services
          listeners = @files.entries.select { |entry| entry.program == "smtpd" && %w[inet pass].include?(entry.type) }
          listeners.map { |entry| service(entry, entry, role(entry), "smtpd_milters") }
        end

        # What sendmail(1) hands in comes by pickup; cleanup calls the milters.
        def local_services
          cleanup = @files.entries.find { |entry| entry.program == "cleanup" && entry.name == "cleanup" }
          @files.entries.select { |entry| %w[pickup qmqpd].include?(entry.program) }.map do |entry|
            wanted = entry.overrides["cleanup_service_name"]&.text
            caller = @files.entries.find { |each| each.name == wanted } if wanted
            service(entry, caller || cleanup || entry, :local, "non_smtpd_milters")
          end
        end

        # The way back of a content filter: a listener of its own, which has no filter itself.
        def role(entry)
          return :smtp if PUBLIC.include?(entry.name[/[^:]*\z/]) || entry.type == "pass"

          filters = @files.entries.any? { |each| each.program == "smtpd" && filter(each) } ||
                    !@files.value("content_filter").text.empty?
          filters && !filter(entry) ? :return : :smtp
        end

        def filter(entry)
          %w[content_filter smtpd_proxy_filter].find { |name| !@files.value(name, "", entry.overrides).text.empty? }
        end

        def service(entry, caller, role, setting)
          chroot = caller.chroot == "y" || (caller.chroot == "-" && old?)
          value = @files.value(setting, "", caller.overrides)
          Service.new(mta: name, name: entry.name, role: role, origin: entry.origin, setting: [setting, value.origin],
                      milters: calls(value, chroot, caller), no_milters: no_milters(entry),
                      macros: macros(caller), extras: extras(caller), chroot: chroot ? queue : nil,
                      user: @files.value("mail_owner", "postfix").text, timeouts: times(caller.overrides),
                      notes: notes(caller))
        end

        # Before Postfix 3.0 services were chrooted unless told otherwise.
        def old?
          level = @files.value("compatibility_level", "0").text
          level.to_i < 1
        end

        def no_milters(entry)
          value = @files.value("receive_override_options", "", entry.overrides)
          value.origin if value.text.split(/[\s,]+/).include?("no_milters")
        end

        def calls(value, chroot, entry)
          PostfixFiles.words(value.text, "\\s,").map do |word|
            text, *options = word.start_with?("{") ? word[1..-2].strip.split(/[\s,]+(?![^{]*\})/n) : [word]
            text = @files.expand(text, entry.overrides)
            spec = SocketSpec.parse_postfix(text, queue, chroot)
            Call.new(text: text, spec: spec, origin: value.origin, timeouts: own_times(options),
                     error: spec ? nil : "is not unix:PATH or inet:HOST:PORT")
          end
        end

        def own_times(options)
          options.each_with_object({}) do |option, times|
            name, text = option.split("=", 2)
            time = TIMES.keys.find { |each| name.strip == "#{each}_timeout" }
            times[time] = MTA.seconds(text) if time && MTA.seconds(text)
          end
        end

        def times(overrides)
          TIMES.transform_values do |(name, default)|
            value = @files.value(name, default, overrides)
            Value.new(MTA.seconds(value.text), "#{name}, #{value.origin}")
          end
        end

        def macros(entry)
          MACROS.transform_values { |(name, default)| @files.value(name, default, entry.overrides) }
        end

        # Names that milter_macro_defaults gives a value.
        def extras(entry)
          @files.value("milter_macro_defaults", "", entry.overrides).text.scan(/\{?([\w.]+)\}?\s*=/n).flatten
        end

        def notes(entry)
          found = []
          maps = @files.value("smtpd_milter_maps", "", entry.overrides)
          unless maps.text.empty?
            found << "#{maps.origin}: smtpd_milter_maps can name other milters for some clients; " \
                     "these tables are not looked at"
          end
          protocol = @files.value("milter_protocol", "6", entry.overrides)
          if protocol.text.to_i < 6
            found << "#{protocol.origin}: milter_protocol is #{protocol.text}; without 6 the milters see less of " \
                     "the mail and may change less: remove the line"
          end
          found
        end
      end
    end
  end
end
