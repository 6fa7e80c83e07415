# frozen_string_literal: true

module Milter
  module Manager
    # What the MTAs of this machine are configured to do with milters, from their files; no
    # program is run.
    module MTA
      # A setting's text and the "FILE:LINE" that set it, or "default".
      Value = Struct.new(:text, :origin)

      # A milter that a service calls.  ERROR: why the MTA cannot use it.
      Call = Struct.new(:text, :spec, :origin, :timeouts, :error, keyword_init: true)

      # Something that takes mail in: a listener of SMTP (role :smtp), one that gets mail back
      # from a content filter (:return), or mail of local programs (:local).
      #   milters      what it calls, as Call
      #   lacking      the setting that names none; nil: there is no such setting
      #   no_milters   the setting that switches milters off, or nil
      #   macros       by stage (:connect …): Value of macro names
      #   extras       names of macros that are always there
      #   chroot       the directory its paths are below, or nil
      #   user         who connects to milters
      #   timeouts     what holds for milters without times of their own
      #   notes        odd settings, for people
      Service = Struct.new(:mta, :name, :role, :origin, :milters, :setting, :no_milters, :macros,
                           :extras, :chroot, :user, :timeouts, :notes, keyword_init: true) do
        # "Postfix smtp (/etc/postfix/master.cf:12)"
        def to_s
          "#{mta} #{name} (#{origin})"
        end

        # Whether a macro is sent at a stage, by these settings.
        def sends?(stage, macro)
          MTA.macro_names(macros[stage]&.text).include?(macro) || extras.include?(macro)
        end
      end

      STAGES = %i[connect helo mail rcpt data eom eoh].freeze # as the protocol numbers them

      module_function

      # Names without braces.
      def macro_names(text)
        text.to_s.scan(/\{([^{}]+)\}|([^\s,{}]+)/n).map { |braced, plain| braced || plain }
      end

      # Seconds of "30", "30s", "5m", "1h", "1d"; nil: it is no time.
      def seconds(text)
        match = text.to_s.match(/\A\s*(\d+)\s*([smhdw]?)\s*\z/n) or return nil

        match[1].to_i * { "" => 1, "s" => 1, "m" => 60, "h" => 3600, "d" => 86_400, "w" => 604_800 }[match[2]]
      end
    end
  end
end
