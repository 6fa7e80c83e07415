# frozen_string_literal: true

module Milter
  module Manager
    module MTA
      # Sendmail, from sendmail.cf (made from sendmail.mc; INPUT_MAIL_FILTER makes the X lines).
      # Mail of local programs comes in by SMTP, from submit.cf.
      class Sendmail
        FILES = %w[/etc/mail/sendmail.cf /etc/sendmail.cf].freeze
        TIMES = { "C" => :connect, "S" => :sending, "R" => :command, "E" => :eom }.freeze
        DEFAULT_TIMES = { connect: 300, sending: 10, command: 10, eom: 300 }.freeze
        STAGE_NAMES = { connect: "connect", helo: "helo", mail: "envfrom", rcpt: "envrcpt", data: "data",
                        eoh: "eoh", eom: "eom" }.freeze

        def self.find(root = "/")
          FILES.map { |file| File.join(root, file) }.select { |file| File.file?(file) && File.readable?(file) }.map { |file| new(file) }
        end

        attr_reader :file

        def initialize(file)
          @file = file
          @lines = PostfixFiles.logical_lines(file)
        end

        def name
          "Sendmail"
        end

        def services
          @services ||= daemons.map { |text, origin| service(text, origin) }
        end

        def advice(spec)
          "in #{@file.delete_suffix('cf')}mc: INPUT_MAIL_FILTER(`milter-manager', `S=#{spec}, F=T, " \
            "T=C:10s;S:10s;R:10s;E:5m')"
        end

        private

        def option(name)
          line = @lines.reverse.find { |each| each.text.match?(/\AO\s*#{Regexp.escape(name)}\s*=/n) }
          line ? Value.new(line.text.split("=", 2)[1].strip, origin(line)) : Value.new("", "default")
        end

        def origin(line)
          "#{@file}:#{line.number}"
        end

        # [text, origin] of each DaemonPortOptions; without any there is one on port 25.
        def daemons
          found = @lines.select { |line| line.text.match?(/\AO\s*DaemonPortOptions\s*=/n) }
          return [["Name=MTA", "default"]] if found.empty?

          found.map { |line| [line.text.split("=", 2)[1], origin(line)] }
        end

        # name => [text of the X line, origin]
        def filters
          @filters ||= @lines.each_with_object({}) do |line, found|
            match = line.text.match(/\AX([\w.-]+)\s*,\s*(.*)\z/mn)
            found[match[1]] = [match[2], origin(line)] if match
          end
        end

        def service(text, at)
          options = text.split(",").to_h { |each| each.split("=", 2).map(&:strip).values_at(0, 1) }
          own = options["InputMailFilters"] || options["I"]
          wanted = own ? Value.new(own, at) : option("InputMailFilters")
          Service.new(mta: name, name: options["Name"] || options["N"] || options["Port"] || "MTA", role: :smtp,
                      origin: at, setting: ["InputMailFilters", wanted.origin],
                      milters: wanted.text.split(/[\s,;]+/).map { |each| call(each, wanted.origin) }, no_milters: nil,
                      macros: macros, extras: [], chroot: nil, user: user, timeouts: {}, notes: [])
        end

        def call(name, at)
          text, origin = filters[name]
          return Call.new(text: name, origin: at, timeouts: {}, error: "has no X line in #{@file}") unless text

          equates = text.scan(/([A-Z])\s*=\s*([^,]*)/n).to_h
          spec = SocketSpec.parse(equates["S"].to_s.strip.sub(/\A(\d+@)/n, "inet:\\1"))
          Call.new(text: "#{name} (#{equates['S'].to_s.strip})", spec: spec, origin: origin, timeouts: times(equates["T"]),
                   error: spec ? nil : "has no S=inet:PORT@HOST or S=unix:PATH")
        end

        def times(text)
          found = text.to_s.scan(/([CSRE])\s*:\s*(\d+\s*[smhd]?)/n)
          DEFAULT_TIMES.merge(found.to_h { |letter, time| [TIMES[letter], MTA.seconds(time)] })
        end

        def macros
          @macros ||= STAGE_NAMES.transform_values { |stage| option("Milter.macros.#{stage}") }
        end

        # Sendmail's daemon is root when it connects.
        def user
          value = option("RunAsUser").text
          value.empty? ? "root" : value[/\A[^:.]+/]
        end
      end
    end
  end
end
