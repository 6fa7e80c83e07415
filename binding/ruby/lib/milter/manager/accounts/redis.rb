# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # Accounts in Redis: a string, or a set, a list or a field of a hash.
      class Redis < Server
        KINDS = %i[string set list hash].freeze

        # @param url [String, Secret] "redis://host:port/database", "unix:/path"
        # @param key [String] with %s for the account, %u for its user, %d for its domain
        # @param kind [Symbol] what the key holds, one of KINDS
        # @param field [String, nil] of a hash, in the form of KEY
        def initialize(settings, label, url:, key:, kind: :string, field: nil, password: nil, keys: :address)
          super(settings, label, keys)
          Library.load("redis", "ruby-redis", label)
          check(key, kind, field)
          @key = key
          @kind = kind
          @field = field
          @options = { **where(url.is_a?(Secret) ? url.value : url), reconnect_attempts: 0,
                       password: password.is_a?(Secret) ? password.value : password }.compact
        end

        def threaded? = false

        def connect
          ::Redis.new(**@options, timeout: @settings.timeout)
        end

        def disconnect(redis)
          redis.close
        end

        private

        def where(url)
          unless url.match?(%r{\A(?:rediss?://|unix:/)})
            raise ConfigurationError, "#{@label}: the URL is none of redis://HOST, rediss://HOST, unix:/PATH"
          end

          url.start_with?("unix:/") ? { path: url.delete_prefix("unix:").sub(%r{\A/+}, "/") } : { url: url }
        end

        def check(key, kind, field)
          raise ConfigurationError, "#{@label}: kind: #{kind.inspect} is none of #{KINDS.map(&:inspect).join(', ')}" \
            unless KINDS.include?(kind)
          raise ConfigurationError, "#{@label}: a hash needs field:, and nothing else has one" \
            unless (kind == :hash) == !field.nil?
          return if Template.uses_key?(key) || (field && Template.uses_key?(field))

          raise ConfigurationError, "#{@label}: the key needs %s, %u or %d in place of the account"
        end

        def ask(redis, text)
          key = Template.expand(@key, text) or return nil
          case @kind
          when :string then present(redis.get(key))
          when :set then list(redis.smembers(key))
          when :list then list(redis.lrange(key, 0, MAX_VALUES))
          else (field = Template.expand(@field, text)) && present(redis.hget(key, field))
          end
        end

        def present(value)
          value && [value]
        end

        # Redis keeps no empty ones.
        def list(values)
          values.empty? ? nil : values
        end
      end
    end
  end
end
