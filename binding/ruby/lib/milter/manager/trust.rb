# frozen_string_literal: true

module Milter
  module Manager
    # Domains of senders that are trusted.
    class Trust < TunableList
      DEFAULTS = %w[gmail.com hotmail.com msn.com yahoo.co.jp softbank.ne.jp ezweb.ne.jp
                    docomo.ne.jp clear-code.com].freeze

      # @param resolve [#call] makes a path of the configuration absolute
      def initialize(resolve = File.method(:expand_path))
        super("trust", resolve)
        @matchers = DEFAULTS.map { |domain| Matcher.new(domain) }
      end

      # Trust a domain: a string, a regular expression, or a block that is given the domain.
      def add_envelope_from_domain(domain = nil, &block)
        @matchers << Matcher.of(domain, block)
        note(:add_envelope_from_domain, domain || block)
      rescue ArgumentError => error
        raise ConfigurationError, "trust.add_envelope_from_domain: #{error.message}"
      end

      # Trust nobody so far.
      def clear
        @matchers.clear
        @files.clear
        @calls.clear
        note(:clear)
      end

      # Trust the domains of a file: a domain or a /regular expression/ a line, # comments.
      # The file is read again when it changes.
      def load_envelope_from_domains(path)
        load_file(:load_envelope_from_domains, path) do |text, file|
          ListFile.parse(text, file) do |entry, place|
            Matcher.new(ListFile.regexp(entry, place) || entry)
          end
        end
      end

      # @param from [String] the address of MAIL
      def trusted_envelope_from?(from)
        domain = EnvelopeAddress.of(from).domain
        return false unless domain

        (@matchers + @files.flat_map(&:value)).any? { |matcher| matcher.match?(domain) }
      end
    end
  end
end
