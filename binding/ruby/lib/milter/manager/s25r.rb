# frozen_string_literal: true

module Milter
  module Manager
    # Whether a client's reverse name looks like that of an end user's line ("Selective SMTP
    # Rejection"): mail servers mostly have names, end users' lines mostly have numbers.
    class S25R < Tunable
      # Names that look like an end user's line.
      PATTERNS = [
        /\A[^.]*\d[^\d.]+\d.*\./n,            # 1: two numbers in the first label
        /\A[^.]*\d{5}/n,                      # 2: five digits in the first label
        /\A(?:[^.]+\.)?\d[^.]*\.[^.]+\..+\.[a-z]/in, # 3: first or second label starts with a digit
        /\A[^.]*\d\.[^.]*\d-\d/n,             # 4: digit before the first dot, then "1-2"
        /\A[^.]*\d\.[^.]*\d\.[^.]+\..+\./n,   # 5: five labels, the first two end in a digit
        /\A(?:dhcp|dialup|ppp|[achrsvx]?dsl)[^.]*\d/in # 6: starts with the kind of line
      ].freeze

      # The longest name there is in the DNS; what is longer would only cost time.
      NAME_MAX = 255

      # No reverse name: "unknown" or the address in brackets.
      NO_NAME = /\A(?:unknown\z|\[)/in

      # Servers of large senders whose names look like end users' lines.
      KNOWN_SERVERS = /
        (?:\.google\.com
         |\.obsmtp\.com
         |\.smtp-out\.(?:[a-z0-9-]+\.)?amazonses\.com
         |(?:\A|\.)slack\.com
         |(?:\A|\.)mg\.gitlab\.com
         |\.sendgrid\.net)\z
      /inx

      def initialize
        super("s25r")
        @white = [Matcher.new(KNOWN_SERVERS)]
        @black = []
        @only_check_ipv4 = true
      end

      # Hosts that are never suspects.
      def add_whitelist(matcher = nil, &block)
        add(@white, :add_whitelist, matcher, block)
      end

      # Hosts that are suspects whatever they look like; the white list wins.
      def add_blacklist(matcher = nil, &block)
        add(@black, :add_blacklist, matcher, block)
      end

      # Whether clients with an IPv6 address are never suspects.
      def only_check_ipv4=(value)
        @only_check_ipv4 = check_bool(:only_check_ipv4, value)
        note_set(:only_check_ipv4, value)
      end

      def only_check_ipv4?
        @only_check_ipv4
      end
      alias only_check_ipv4 only_check_ipv4?
      alias check_only_ipv4= only_check_ipv4=
      alias check_only_ipv4 only_check_ipv4?

      # @param host [String] as at connect
      # @param socket_address the client's
      def suspect?(host, socket_address)
        return false if @only_check_ipv4 && socket_address&.bits == 128

        host = host.to_s
        host = host.byteslice(0, NAME_MAX) if host.bytesize > NAME_MAX
        host = host.b unless host.encoding == Encoding::BINARY
        return false if @white.any? { |matcher| matcher.match?(host) }
        return true if @black.any? { |matcher| matcher.match?(host) }

        NO_NAME.match?(host) || PATTERNS.any? { |pattern| pattern.match?(host) }
      end

      private

      def defaults
        { only_check_ipv4: true }
      end

      def add(list, method, object, block)
        list << Matcher.of(object, block)
        note(method, object || block)
      rescue ArgumentError => error
        raise ConfigurationError, "s25r.#{method}: #{error.message}"
      end
    end
  end
end
