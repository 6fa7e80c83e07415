# frozen_string_literal: true

module Milter
  module Manager
    # Messages whose sender is in a list: addresses and domains in the form of Postfix's
    # access(5), regular expressions, blocks, and files that are read again when they change.
    class SenderList < TunableList
      # What one file or the configuration itself holds.
      Entries = Struct.new(:keys, :matchers)

      # @param name [String] of the condition
      # @param resolve [#call] makes a path of the configuration absolute
      def initialize(name, resolve = File.method(:expand_path))
        super("sender_list(#{name.dump})", resolve)
        @own = Entries.new({}, [])
      end

      # "user@domain", "domain", ".parent", "user@", "<>", a regular expression, or a block
      # that is given the address.
      def add(entry = nil, &block)
        put(@own, Matcher.of(entry, block).object)
        note(:add, entry || block)
      rescue ArgumentError => error
        raise ConfigurationError, "#{@word}.add: #{error.message}"
      end

      # A file with an entry a line: an address, a domain or /a regular expression/.
      def load(path)
        load_file(:load, path) { |text, file| read(text, file) }
      end

      # @param from [String] the address of MAIL
      def include?(from)
        address = EnvelopeAddress.of(from)
        keys = PostfixAccessKeys.of_address(address)
        [@own, *@files.map(&:value)].any? do |entries|
          keys.any? { |key| entries.keys.key?(key) } ||
            entries.matchers.any? { |matcher| matcher.match?(address.address_spec) }
        end
      end

      def define_stoppers(condition)
        condition.description ||= "Apply a milter only to mail of senders in a list"
        condition.define_envelope_from_stopper { |_context, from| !include?(from) }
      end

      private

      def put(entries, entry)
        if entry.is_a?(String)
          entries.keys[entry.b.downcase(:ascii)] = true
        else
          entries.matchers << Matcher.of(entry)
        end
      end

      def read(text, file)
        entries = Entries.new({}, [])
        ListFile.parse(text, file) do |entry, place|
          put(entries, ListFile.regexp(entry, place) || entry)
          nil
        end
        entries
      end
    end
  end
end
