# frozen_string_literal: true

module Milter
  module Manager
    # An object of the configuration language that tunes a built-in condition: `s25r`,
    # `dnsbl` …  It remembers what was called and where, for --show-config.
    class Tunable
      # A call as it can be written in a configuration file, nil where it cannot, and the line
      # that made it.
      Call = Struct.new(:maker, :origin) do
        def text = maker.call
      end

      # What subclasses have for the engine, not for files.
      INTERNALS = %i[settle origin define_stoppers].freeze

      # @param word [String] how the language calls it
      def initialize(word)
        @word = word
        @calls = []
      end

      # For --show-config: what was called.
      attr_reader :calls

      # The same: the defaults of what was not set.
      def unset
        defaults.reject { |item, _| @calls.any? { |call| call.text&.start_with?(setting(item)) } }
                .map { |item, value| "#{setting(item)}#{literal(value)}" }
      end

      def inspect
        @word
      end

      private

      # Items that are set with "=", and their defaults.
      def defaults
        {}
      end

      def setting(item)
        "#{@word}.#{item} = "
      end

      # Note that METHOD was called with ARGUMENTS.
      def note(method, *arguments)
        @calls << Call.new(-> { call_text(method, arguments) }, Source.here)
      end

      # The same for an assignment; only the last one counts.
      def note_set(item, value)
        prefix = setting(item)
        @calls.reject! { |call| call.text&.start_with?(prefix) }
        @calls << Call.new(-> { "#{prefix}#{literal(value)}" }, Source.here)
      end

      def call_text(method, arguments)
        texts = arguments.map { |argument| literal(argument) }
        return nil if texts.include?(nil)

        "#{@word}.#{method}#{texts.empty? ? '' : "(#{texts.join(', ')})"}"
      end

      # VALUE as Ruby source; nil when there is no such text.
      def literal(value)
        case value
        when String then value.dup.force_encoding(Encoding::UTF_8).dump
        when Regexp, Numeric, Symbol, Tunable, true, false then value.inspect
        when Secret then value.shown.dump
        when nil then "nil"
        when IPAddr then AddressSet.text(value).dump
        when Array
          texts = value.map { |each| literal(each) }
          texts.include?(nil) ? nil : "[#{texts.join(', ')}]"
        when Hash then hash_literal(value)
        end
      end

      def hash_literal(hash)
        texts = hash.map { |key, value| "#{key}: #{literal(value)}" }
        hash.values.any? { |value| literal(value).nil? } ? nil : texts.join(", ")
      end

      # Refuse what was given.
      def wrong(method, given, allowed)
        raise ConfigurationError, "#{@word}.#{method}: #{given.inspect} is not #{allowed}"
      end

      def check_bool(method, value)
        [true, false].include?(value) ? value : wrong(method, value, "true or false")
      end

      # A number of at least MIN; nil where NIL_ALLOWED.
      def check_number(method, value, min: 0, whole: true, nil_allowed: false)
        return value if value.nil? && nil_allowed

        kind = whole ? Integer : Numeric
        return value if value.is_a?(kind) && value.real? && value >= min && value.to_f.finite?

        wrong(method, value, "a #{whole ? 'whole number' : 'number'} of at least #{min}" \
                             "#{' or nil' if nil_allowed}")
      end

      def respond_to_missing?(_name, _include_private = false)
        false
      end

      def method_missing(name, *)
        words = self.class.public_instance_methods - Tunable.public_instance_methods - INTERNALS
        raise ConfigurationError, "#{@word} has no \"#{name}\"#{Spelling.nearest_or_all(name, words)}"
      end
    end
  end
end
