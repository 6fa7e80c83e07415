# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # A milter that nobody told us about: something that looks like one, and whose socket can
      # be told.
      class OtherKind < Kind
        NAME = "other"
        HINT = /milter|\binet6?:\d+@|\blocal:\//i
        SOCKET_OPTIONS = %w[-p -s -l -L -S --socket --milter-socket --milter --listen --bind
                            --connection].freeze
        CONFIG_OPTIONS = %w[-c -C -f -x --config --config-file --configuration].freeze
        FILE = KeyValueFile.new("Socket", "MilterSocket", "milter.socket", "milter_socket", "listen",
                                "connection", "bind", "ListenPort", mode: "Mode")
        SOCKET = %r{\A(?:(?:unix|local|inet6?):\S+|/\S+(?<!\.pid|\.conf|\.cfg|\.log)|
                        [\w.*-]*:\d+|\[[\h:]+\]:\d+)\z}x
        # What speaks of milters and is none; us, first of all.
        NOT = /\A(?:milter-manager|milter-test-\w+|clamd|spamd|amavisd(?:-new)?|
                   mimedefang-multiplexor|postfix|sendmail|master)\z/x

        def initialize
          super(NAME, programs: [], services: [], role: :content, socket_options: SOCKET_OPTIONS,
                      config_options: CONFIG_OPTIONS, positional: :socket, file: FILE)
        end

        def hint
          HINT
        end

        def of?(service)
          return false if (service.programs + [service.name]).any? { |name| name.match?(NOT) }

          sure?(service) || service.description.to_s.match?(/\bmilter\b/i) ||
            service.commands.any? { |command| command.words.any? { |word| SocketSpec.milter_style?(word) } }
        end

        # Whether it is worth a word where its socket cannot be told.
        def sure?(service)
          (service.programs + [service.name]).any? { |name| name.match?(/milter/i) }
        end

        def socket_in(words)
          words.reverse_each.find { |word| SocketSpec.milter_style?(word) } || values(words).last ||
            Options.plain(words).find { |word| word.match?(/\A(?:unix|local|inet6?):/) }
        end

        # A file on the command line that may say more.
        def config_in(words)
          Options.value(words, CONFIG_OPTIONS) ||
            Options.plain(words).find { |word| word.match?(%r{\A/.*\.conf\z}) }
        end

        private

        # Values of options for sockets that look like one.
        def values(words)
          SOCKET_OPTIONS.filter_map { |option| Options.value(words, [option]) }.grep(SOCKET)
        end
      end
    end
  end
end
