# frozen_string_literal: true

module Milter
  module Manager
    # How many sessions the MTA itself allows, read from its files; no program is run.
    # 0 is no limit, nil is unknown: there are no such files.
    module MTALimits
      POSTFIX_DIRECTORIES = %w[/etc/postfix /usr/local/etc/postfix /usr/pkg/etc/postfix].freeze
      SENDMAIL_FILES = %w[/etc/mail/sendmail.cf /etc/sendmail.cf].freeze
      POSTFIX_DEFAULT = 100 # default_process_limit, where main.cf does not set it
      DEPTH_MAX = 20        # of parameters that refer to parameters

      module_function

      # The most smtpd processes of Postfix's SMTP service.
      def postfix(directories = POSTFIX_DIRECTORIES)
        directory = directories.find { |each| File.readable?(File.join(each, "main.cf")) }
        return nil unless directory

        main = parameters(File.join(directory, "main.cf"))
        default = Integer(expand("$default_process_limit", main), exception: false) || POSTFIX_DEFAULT
        column = smtpd_limit(File.join(directory, "master.cf"))
        column == "-" ? default : Integer(column, 10, exception: false) || default
      rescue SystemCallError
        nil
      end

      # Sendmail's MaxDaemonChildren.
      def sendmail(files = SENDMAIL_FILES)
        file = files.find { |each| File.readable?(each) }
        return nil unless file

        text = File.binread(file).scan(/^O\s*MaxDaemonChildren\s*=\s*(\d+)/n).last
        text ? text[0].to_i : 0
      rescue SystemCallError
        nil
      end

      # Postfix's files are lines; one that starts with white space continues the one before.
      def logical_lines(path)
        File.binread(path).each_line(chomp: true).each_with_object([]) do |line, lines|
          next if line.match?(/\A\s*(?:#|\z)/n)

          line.match?(/\A\s/n) && lines.any? ? lines.last << line : lines << line
        end
      end

      def parameters(path)
        logical_lines(path).each_with_object({}) do |line, values|
          name, value = line.split("=", 2)
          values[name.strip] = value.strip if value
        end
      end

      # "$name", "${name}", "${name?text}" and "${name:text}" replaced.
      def expand(text, values, depth = 0)
        return "" if depth > DEPTH_MAX

        text.gsub(/\$\$|\$(?:(\w+)|[({](\w+)(?:([?:])([^)}]*))?[)}])/n) do
          match = Regexp.last_match
          name = match[1] || match[2]
          next "$" unless name

          value = expand(values.fetch(name, ""), values, depth + 1)
          case match[3]
          when "?" then value.empty? ? "" : expand(match[4], values, depth + 1)
          when ":" then value.empty? ? expand(match[4], values, depth + 1) : ""
          else value
          end
        end
      end

      # The maxproc column of the service that speaks SMTP with the world: with postscreen in
      # front that is "smtpd pass", else "smtp inet".
      def smtpd_limit(path)
        return "-" unless File.readable?(path)

        services = logical_lines(path).map(&:split).select { |fields| fields[7] == "smtpd" }
        service = services.find { |fields| fields[1] == "pass" } ||
                  services.find { |fields| fields[0].match?(/(?:\A|:)(?:smtp|25)\z/n) } ||
                  services.first
        service ? service[6] : "-"
      end
    end
  end
end
