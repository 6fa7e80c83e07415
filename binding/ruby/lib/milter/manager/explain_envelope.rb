# frozen_string_literal: true

require "ipaddr"
require "socket"

module Milter
  module Manager
    # The session that --explain plays: who the client is, the envelope and the MTA's macros, as
    # given, else as the mail tells, else as Postfix would say; and the packets of all that.
    class ExplainEnvelope
      CODES = { "connect" => "C", "helo" => "H", "mail" => "M", "rcpt" => "R", "data" => "T",
                "eoh" => "N", "eom" => "E" }.freeze
      # Where MTAs send a macro that --macro gives without a step; connect for all others.
      STAGES = {
        "helo" => %w[tls_version cipher cipher_bits cert_subject cert_issuer],
        "mail" => %w[auth_type auth_authen auth_ssf auth_author mail_addr mail_host mail_mailer],
        "rcpt" => %w[rcpt_addr rcpt_host rcpt_mailer],
        "data" => %w[i]
      }.freeze
      PORT = 50_000 # of the client
      QUEUE_ID = "EXPLAIN"
      LISTENER = 25 # the MTA's port it is connected to: MTAs do not tell, the kernel does

      attr_reader :host, :address, :helo, :sender, :recipients

      # Whether a recipient was accepted: then Postfix gives the message its queue id.
      attr_writer :is_queued

      # @param given [Hash] the options, as strings; nil where not given
      # @param mta [String] "postfix" or "sendmail"
      def initialize(mail, given, mta)
        @mta = mta
        take_client(mail.client, given)
        @sender, *@sender_parameters = words(given["sender"] || mail.sender || "<>")
        texts = given["recipients"].empty? ? mail.recipients : given["recipients"]
        raise ConfigurationError, "the mail names no recipient; give --recipient" if texts.empty?

        @recipients = texts.map { |text| words(text) }
        @given = given["macros"].map { |text| parse_macro(text) }
      end

      # What the MTA says of connect, HELO, MAIL and RCPT: packets.
      def connect
        macros("connect", connect_macros) + packet("C", "#{@host}\0#{family}#{address_payload}")
      end

      def helo_packets
        macros("helo", {}) + packet("H", "#{@helo}\0")
      end

      def mail
        local, domain = @sender.delete_prefix("<").delete_suffix(">").split("@", 2)
        defaults = local ? { "mail_addr" => [local, domain].compact.join("@"), "mail_host" => domain,
                             "mail_mailer" => "smtp" } : {}
        defaults["i"] = QUEUE_ID if @mta == "sendmail"
        macros("mail", defaults) + packet("M", [@sender, *@sender_parameters, ""].join("\0"))
      end

      def rcpt(recipient)
        address = recipient.first.delete_prefix("<").delete_suffix(">")
        macros("rcpt", "i" => (QUEUE_ID if @is_queued && @mta == "postfix"), "rcpt_addr" => address,
                       "rcpt_host" => address.split("@", 2)[1], "rcpt_mailer" => "smtp") +
          packet("R", [*recipient, ""].join("\0"))
      end

      # The end of the connection that the kernel would tell of; nil without SMTP.
      def local_end
        [IPAddr.new(interface), LISTENER] if interface
      end

      # Before these steps the MTA says nothing but macros.
      def data
        macros("data", "i" => QUEUE_ID) + packet("T", "")
      end

      def eoh = macros("eoh", "i" => QUEUE_ID)
      def eom = macros("eom", "i" => QUEUE_ID)

      def packet(command, payload)
        [payload.bytesize + 1, command, payload.b].pack("Na1a*")
      end

      private

      def take_client(told, given)
        @address = given["client_address"]&.b || told&.address || "127.0.0.1"
        told = nil unless told&.address == @address
        @host = given["client_host"]&.b || host_of(told)
        @helo = given["helo"]&.b || told&.helo || (@host.start_with?("[") ? "localhost" : @host)
      end

      def host_of(told)
        return told.host if told&.host && told.host != "unknown"

        case @address
        when "127.0.0.1", "::1", /\Aunix:/, "unknown" then "localhost"
        else "[#{@address}]"
        end
      end

      # "a@b SIZE=10" → ["<a@b>", "SIZE=10"]
      def words(text)
        address, *parameters = text.b.split(" ")
        address = "<#{address}>" unless address.to_s.start_with?("<")
        [address, *parameters]
      end

      def family
        case @address
        when /\Aunix:/ then "L"
        when "unknown" then "U"
        else @address.include?(":") ? "6" : "4"
        end
      end

      def address_payload
        return "\0" if family == "U"

        port = family == "L" ? 0 : PORT
        "#{[port].pack('n')}#{'IPv6:' if family == '6'}#{@address.delete_prefix('unix:')}\0"
      end

      def connect_macros
        name = Socket.gethostname
        defaults = { "j" => name, "_" => "#{@host} [#{@address}]",
                     "daemon_name" => @mta == "sendmail" ? "MTA" : name,
                     "v" => @mta == "sendmail" ? "8.17.1" : "Postfix 3.7.11" }
        return defaults.merge("daemon_addr" => interface) if @mta == "postfix"

        defaults.merge("if_addr" => interface, "if_name" => interface && "localhost")
      end

      def interface
        { "4" => "127.0.0.1", "6" => "::1" }[family]
      end

      # [stage, name, value]; "STAGE:NAME=VALUE" or "NAME=VALUE", NAME with or without braces.
      def parse_macro(text)
        stage, name, value = text.b.match(/\A(?:([a-z]+):)?([^=]+)=(.*)\z/mn).captures
        name = name[1..-2] if name.start_with?("{") && name.end_with?("}")
        stage ||= STAGES.find { |_, names| names.include?(name) }&.first || "connect"
        [stage, name, value]
      end

      # The packet for a stage: a given macro replaces the default of its name; an empty value
      # takes it away.
      def macros(stage, defaults)
        all = defaults.compact.reject { |name, _| @given.any? { |_, given, _| given == name } }
        @given.each { |at, name, value| all[name] = value if at == stage && !value.empty? }
        return "".b if all.empty?

        texts = all.map { |name, value| "#{name.length == 1 ? name : "{#{name}}"}\0#{value}\0".b }
        packet("D", CODES.fetch(stage).b + texts.join)
      end
    end
  end
end
