# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # The milters that are known by name.
      module Kinds
        # Roles by the letters of opendkim's Mode, and of those who copied it.
        SIGNERS = { "v" => [:verify], "s" => [:sign], "sv" => %i[verify sign] }.freeze
        SEALERS = { "v" => [:verify], "s" => [:seal], "sv" => [:seal] }.freeze
        SOCKET = KeyValueFile.new("Socket", mode: "Mode")

        ALL = [
          Kind.new("vrfydmn", role: :connection, socket_options: %w[-s --socket]),
          Kind.new("milter-limit", role: :connection, socket_options: [],
                   config_options: %w[-c --config],
                   config_names: %w[mail/milter-limit.conf milter-limit.conf],
                   file: KeyValueFile.new("connection")),
          Kind.new("mailfromd", role: :connection, socket_options: %w[-p --port --milter-socket],
                   config_options: %w[--config-file],
                   config_names: %w[mailfromd/mailfromd.conf mailfromd.conf],
                   file: MailfromdFile.new, default_socket: "unix:/var/lib/mailfromd/mailfrom"),
          Kind.new("milter-regex", services: %w[milter-regex milter_regex milterregex],
                   role: :connection, socket_options: %w[-s],
                   default_socket: "unix:/var/spool/milter-regex/sock"),
          Kind.new("spfmilter", role: :spf, socket_options: [], positional: :socket,
                   flags: %w[-l --localpolicy -g --guess -f --fallback -w --whitelist -a
                      --allowlist -e --explanation -u --user -p --pidfile]),
          Kind.new("smf-spf", role: :spf, socket_options: [], config_options: %w[-c],
                   config_names: %w[mail/smfs/smf-spf.conf smf-spf.conf],
                   file: KeyValueFile.new("Socket")),
          Kind.new("sid-milter", programs: %w[sid-filter sid-milter],
                   services: %w[sid-milter sid-filter milter-sid sidmilter], role: :spf),
          Kind.new("pyspf-milter", role: :spf, socket_options: [], positional: :config,
                   config_names: %w[pyspf-milter/pyspf-milter.conf], file: SOCKET),
          Kind.new("enma", services: %w[enma milter-enma], role: %i[spf], socket_options: [],
                   config_options: %w[-c], config_names: %w[enma.conf],
                   file: KeyValueFile.new("milter.socket")),
          Kind.new("opendkim", services: %w[opendkim milter-opendkim], role: %i[verify sign],
                   mode_option: "-b", modes: SIGNERS, config_options: %w[-x], file: SOCKET,
                   config_names: %w[opendkim.conf opendkim/opendkim.conf mail/opendkim.conf]),
          Kind.new("dkimpy-milter", role: %i[verify sign], modes: SIGNERS, socket_options: [],
                   positional: :config, flags: %w[-P],
                   config_names: %w[dkimpy-milter/dkimpy-milter.conf dkimpy-milter.conf],
                   file: SOCKET, default_socket: "local:/var/run/dkimpy-milter/dkimpy-milter.sock"),
          Kind.new("dkim-filter", programs: %w[dkim-filter], services: %w[dkim-filter milter-dkim],
                   role: %i[verify sign], mode_option: "-b", modes: SIGNERS,
                   config_options: %w[-x],
                   config_names: %w[dkim-filter.conf mail/dkim-filter.conf], file: SOCKET),
          Kind.new("dk-milter", programs: %w[dk-filter dk-milter],
                   services: %w[dk-milter dk-filter], role: %i[verify sign], mode_option: "-b",
                   modes: SIGNERS),
          Kind.new("openarc", role: :seal, mode_option: "-b", modes: SEALERS,
                   config_options: %w[-c],
                   config_names: %w[openarc.conf openarc/openarc.conf mail/openarc.conf],
                   file: SOCKET),
          Kind.new("opendmarc", role: :dmarc, config_options: %w[-c],
                   file: KeyValueFile.new("Socket"),
                   config_names: %w[opendmarc.conf opendmarc/opendmarc.conf mail/opendmarc.conf]),
          Kind.new("milter-greylist", services: %w[milter-greylist miltergreylist],
                   role: :greylist, config_options: %w[-f], file: GreylistFile.new,
                   config_names: %w[milter-greylist/greylist.conf mail/greylist.conf
                      greylist.conf]),
          Kind.new("clamav-milter", role: :virus, socket_options: [], positional: :socket,
                   config_options: %w[-c --config-file],
                   config_variables: %w[CLAMAVMILTERCONF CLAMAVCONF],
                   config_names: %w[clamav/clamav-milter.conf mail/clamav-milter.conf
                      clamav-milter.conf clamd.d/clamav-milter.conf],
                   file: KeyValueFile.new("MilterSocket", sample: "Example")),
          Kind.new("spamass-milter", services: %w[spamass-milter spamass-milter-root], role: :spam),
          Kind.new("rspamd", role: :spam, socket_options: [], config_options: %w[-c --config],
                   config_names: %w[rspamd/rspamd.conf rspamd.conf], file: RspamdFile.new),
          Kind.new("amavisd-milter", role: :spam, socket_options: %w[-s]),
          Kind.new("amavis-milter", programs: %w[amavis-milter],
                   services: %w[amavis-milter amavisd-new-milter amavismilter], role: :spam),
          Kind.new("amavisd", programs: [], role: :spam, socket_options: [],
                   required_variable: "MILTER_SOCKET"),
          Kind.new("mimedefang", services: %w[mimedefang], role: :content)
        ].freeze

        module_function

        # The kind of that name; raises KeyError.
        def find(name)
          ALL.find { |kind| kind.name == name } or
            raise KeyError, "#{name}; known are #{ALL.map(&:name).join(', ')}"
        end
      end
    end
  end
end
