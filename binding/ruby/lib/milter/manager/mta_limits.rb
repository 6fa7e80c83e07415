# frozen_string_literal: true

require "milter/manager/mta"

module Milter
  module Manager
    # How many sessions the MTA itself allows, read from its files; no program is run.
    # 0 is no limit, nil is unknown: there are no such files.
    module MTALimits
      POSTFIX_DIRECTORIES = %w[/etc/postfix /usr/local/etc/postfix /usr/pkg/etc/postfix].freeze
      SENDMAIL_FILES = %w[/etc/mail/sendmail.cf /etc/sendmail.cf].freeze
      POSTFIX_DEFAULT = 100 # default_process_limit, where main.cf does not set it

      module_function

      # The most smtpd processes of Postfix's SMTP service.
      def postfix(directories = POSTFIX_DIRECTORIES)
        directory = directories.find { |each| File.file?(File.join(each, "main.cf")) }
        return nil unless directory

        files = MTA::PostfixFiles.new(directory)
        default = Integer(files.value("default_process_limit").text, exception: false) || POSTFIX_DEFAULT
        column = smtpd_limit(files.entries)
        column == "-" ? default : Integer(column, 10, exception: false) || default
      rescue SystemCallError
        nil
      end

      # Sendmail's MaxDaemonChildren.
      def sendmail(files = SENDMAIL_FILES)
        file = files.find { |each| File.file?(each) }
        return nil unless file

        text = File.binread(file).scan(/^O\s*MaxDaemonChildren\s*=\s*(\d+)/n).last
        text ? text[0].to_i : 0
      rescue SystemCallError
        nil
      end

      # The maxproc column of the service that speaks SMTP with the world: with postscreen in
      # front that is "smtpd pass", else "smtp inet".
      def smtpd_limit(entries)
        services = entries.select { |entry| entry.program == "smtpd" }
        service = services.find { |entry| entry.type == "pass" } ||
                  services.find { |entry| entry.name.match?(/(?:\A|:)(?:smtp|25)\z/n) } || services.first
        service ? service.limit : "-"
      end
    end
  end
end
