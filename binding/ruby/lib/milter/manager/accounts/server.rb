# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # A server that is asked for accounts: what the kinds share.  A kind has #connect,
      # #disconnect, #threaded? and #ask.
      class Server
        # Raised in a look-up that takes too long; libraries do not take it for an error of theirs.
        class Expired < Exception; end # rubocop:disable Lint/InheritException

        KEYS = %i[address access].freeze
        MAX_VALUES = 1000
        MAX_BYTES = 64 * 1024

        # @param settings [#timeout, #lifetime, #pool] of the accounts it is part of
        # @param label [String] how errors call it; without secrets
        # @param keys [Symbol] what it is asked for, see Key#texts
        def initialize(settings, label, keys = :address)
          raise ConfigurationError, "keys: #{keys.inspect} is none of #{KEYS.map(&:inspect).join(', ')}" \
            unless KEYS.include?(keys)

          @settings = settings
          @label = label
          @keys = keys
          @cache = Cache.new
          @pool = Pool.new(self)
        end

        # @param key [Key]
        # @return [Array<String>, nil] what it says of the account; nil: it knows none
        def find(key)
          texts = key.texts(@keys).select { |text| askable?(text) }
          return nil if texts.empty?

          @cache.fetch(texts.map(&:whole).join("\n"), @settings.lifetime) { look_up(texts) }
        end

        private

        def askable?(text)
          text.text?
        end

        def look_up(texts)
          Timeout.timeout(@settings.timeout, Expired) do
            @pool.use(@settings.pool, @settings.timeout) { |connection| first(connection, texts) }
          end
        rescue Expired
          raise Error, "#{@label}: no answer within #{@settings.timeout} s"
        rescue StandardError, NoMemoryError => error # garbage may announce any size
          raise Error, "#{@label}: #{describe(error)}"
        end

        def first(connection, texts)
          texts.each do |text|
            values = ask(connection, text)
            return bounded(values) if values
          end
          nil
        end

        def bounded(values)
          values = values.map { |value| value.to_s.dup.force_encoding(Encoding::UTF_8).freeze }
          return values.freeze if values.size <= MAX_VALUES && values.sum(&:bytesize) <= MAX_BYTES

          raise Error, "the answer has more than #{MAX_VALUES} values or #{MAX_BYTES} bytes"
        end

        def describe(error)
          text = Failure.first_line(error)
          error.is_a?(Error) ? text : "#{error.class}: #{text}"
        end

      end
    end
  end
end
