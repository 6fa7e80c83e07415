# frozen_string_literal: true

module Milter
  module Manager
    # The file that --explain was given: header fields and body as an MTA passes them on, and
    # what the fields tell of the envelope.
    class ExplainMail
      FIELD = /\A([!-9;-~]+)[ \t]*:[ \t]?(.*)\z/mn
      # from HELO (HOST [ADDRESS]), as Postfix and Sendmail write it
      RECEIVED = /\Afrom\s+(\S+)\s+\((?:(?:\S+@)?([^\s\[\]]+)\s+)?\[(?:IPv6:)?([0-9a-f.:]+)\]/in
      ADDRESS = /<([^<>\s]+@[^<>\s]+)>|([^\s<>,;:"()]+@[^\s<>,;:"()]+)/n
      LOOPBACK = AddressSet.new("127.0.0.0/8", "::1")

      Client = Struct.new(:helo, :host, :address)

      attr_reader :fields, :body

      # @param text [String] lines may end in CRLF or LF
      def initialize(text)
        lines = text.b.lines.map { |line| line.sub(/\r?\n\z/n, "") }
        lines.shift if lines.first&.start_with?("From ")
        @fields = []
        take_fields(lines)
        @body = lines.map { |line| "#{line}\r\n" }.join
      end

      # The sender, with < and >; nil when the mail does not say.
      def sender
        path = values("Return-Path").first
        return "<#{path[/<?([^<>\s]*)>?/n, 1]}>" if path

        address = addresses("From").first
        address && "<#{address}>"
      end

      # The recipients, with < and >.
      def recipients
        delivered = %w[X-Original-To Delivered-To].filter_map { |name| addresses(name).first }.first
        found = delivered ? [delivered] : %w[To Cc Bcc].flat_map { |name| addresses(name) }
        found.uniq.map { |address| "<#{address}>" }
      end

      # Who handed it over: the newest Received field that does not speak of this machine.
      def client
        values("Received").each do |value|
          match = value.match(RECEIVED) or next
          address = AddressSet.parse(match[3])
          next if address.nil? || LOOPBACK.include?(address)

          return Client.new(match[1], match[2], match[3])
        end
        nil
      end

      private

      def take_fields(lines)
        until lines.empty?
          if lines.first.match?(/\A[ \t]/n) && !@fields.empty?
            @fields.last[1] << "\n" << lines.shift
          elsif (match = lines.first.match(FIELD))
            @fields << [match[1], +match[2]]
            lines.shift
          else
            lines.shift if lines.first.empty?
            return
          end
        end
      end

      def values(name)
        @fields.filter_map { |each, value| value if each.casecmp?(name) }
      end

      # Addresses in all fields of a name; display names and comments may contain anything.
      def addresses(name)
        values(name).flat_map do |value|
          value.gsub(/"(?:\\.|[^"\\])*"(?!@)|\([^()]*\)/mn, " ").scan(ADDRESS).map { |one, other| one || other }
        end
      end
    end
  end
end
