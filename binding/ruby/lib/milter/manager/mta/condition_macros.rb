# frozen_string_literal: true

module Milter
  module Manager
    module MTA
      # Which of the MTA's macros a condition looks at, as far as the text of its blocks tells.
      module ConditionMacros
        # Macros that an MTA can send; others are set by conditions.
        KNOWN = %w[_ auth_authen auth_author auth_ssf auth_type cert_issuer cert_subject cipher cipher_bits
                   client_addr client_connections client_name client_port client_ptr daemon_addr daemon_name
                   daemon_port i if_addr if_name j mail_addr mail_host mail_mailer rcpt_addr rcpt_host
                   rcpt_mailer tls_version v].freeze
        # Members of the context that are macros, and which of them one is enough.
        MEMBERS = { /\bauthenticated\?/ => %w[auth_type auth_authen], /\.daemon_name\b|\blistener\b/ => %w[daemon_name],
                    /\.queue_id\b/ => %w[i] }.freeze
        # The last stage before or at which the MTA must send it.
        STAGES = { "connect" => 0, "helo" => 1, "envelope_from" => 2, "envelope_recipient" => 3, "data" => 4,
                   "envelope" => 4, "header" => 4, "end_of_header" => 5, "body" => 5, "end_of_message" => 6 }.freeze
        ORDER = %i[connect helo mail rcpt data eoh eom].freeze

        # A choice of macros, one of which is needed, the stages that may bring it, and who wants it.
        Need = Struct.new(:names, :stages, :origin)

        module_function

        # @return [Array<Need>]
        def of(condition)
          condition.stoppers.flat_map do |step, all|
            all.flat_map do |stopper|
              stages = ORDER.first(STAGES.fetch(step.to_s) + 1)
              names_in(text_of(stopper.origin)).map { |names| Need.new(names, stages, stopper.origin) }
            end
          end
        end

        def names_in(text)
          found = text.scan(/\[\s*["']\{?(\w+)\}?["']\s*\](?!\s*=[^=~])/n).flatten.select { |name| KNOWN.include?(name) }
          found.map { |name| [name] } + MEMBERS.select { |pattern, _| text.match?(pattern) }.values
        end

        # From the line that defines a block to the one that ends it, told by its indentation.
        def text_of(origin)
          file, line = origin.match(/\A(.*):(\d+)\z/m)&.captures
          return "" unless file

          first, *rest = File.readlines(file, mode: "rb").drop(line.to_i - 1)
          return "" unless first
          return first if first.match?(/\}\s*\z|\bend\s*\z/n)

          indent = first[/\A\s*/].size
          first + rest.take_while { |each| each.strip.empty? || each[/\A\s*/].size > indent }.join
        rescue SystemCallError
          ""
        end
      end
    end
  end
end
