# frozen_string_literal: true

require "uri"

module Milter
  module Manager
    class Accounts < Tunable
      # Accounts in a database that Sequel knows: SQLite, PostgreSQL, MariaDB.
      class SQL < Server
        # How Sequel calls what comes before the ":", and what it needs.
        Kind = Struct.new(:adapter, :feature, :package)

        SQLITE = Kind.new("sqlite", "sqlite3", "ruby-sqlite3")
        POSTGRES = Kind.new("postgres", "pg", "ruby-pg")
        MARIA = Kind.new("mysql2", "mysql2", "ruby-mysql2")
        KINDS = { "sqlite" => SQLITE, "postgres" => POSTGRES, "postgresql" => POSTGRES, "mysql2" => MARIA,
                  "mysql" => MARIA, "mariadb" => MARIA }.freeze

        # @param url [String, Secret] "postgres://user@host/database", "sqlite:path"
        # @param query [String] with "?", or :address, :user and :domain, for what is looked up
        # @param options [Hash] of the driver
        def initialize(settings, label, url, query, keys: :address, resolve: File.method(:expand_path), **options)
          super(settings, label, keys)
          url = url.value if url.is_a?(Secret)
          scheme = url[/\A(\w+):/, 1].to_s
          @kind = KINDS.fetch(scheme) do
            raise ConfigurationError, "#{label}: #{scheme.inspect} is none of #{KINDS.keys.join(', ')}"
          end
          @query = check_query(query)
          load_libraries(label)
          @address = address_of(url, scheme, resolve)
          @options = reveal(options)
        end

        def threaded? = @kind == MARIA

        # A Sequel::Database with one connection.
        def connect
          options = { **limits, **@options, single_threaded: true, keep_reference: false }
          return Sequel.connect(@address, options) unless @kind == SQLITE

          Sequel.connect(adapter: "sqlite", database: @address, **options)
        end

        def disconnect(database)
          database.disconnect
        end

        private

        def load_libraries(label)
          Library.load("sequel", "ruby-sequel", label)
          Library.load(@kind.feature, @kind.package, label)
          Sequel::Database.adapter_class(@kind.adapter.to_sym)
        end

        # The URL as Sequel wants it; a file is one of the configuration's directory.
        def address_of(url, scheme, resolve)
          return resolve.call(url[%r{\Asqlite:(?://(?=/))?(.*)\z}m, 1]) if @kind == SQLITE

          url = url.sub(/\A#{scheme}/, @kind.adapter)
          URI.parse(url)
          url
        rescue URI::InvalidURIError
          raise ConfigurationError, "#{@label}: this is not a URL; write special characters as %40 and so on"
        end

        def reveal(options)
          options.transform_values { |value| value.is_a?(Secret) ? value.value : value }
        end

        # None may wait for longer than a look-up.
        def limits
          seconds = [@settings.timeout.ceil, 1].max
          case @kind
          when SQLITE then { readonly: true, timeout: (@settings.timeout * 1000).to_i } # see WaitingSQLite
          when MARIA then { connect_timeout: seconds, read_timeout: seconds, write_timeout: seconds }
          else { connect_timeout: seconds }
          end
        end

        def check_query(query)
          return query if query.is_a?(String) && query.match?(/\?|:(?:address|user|domain)\b/)

          raise ConfigurationError, "#{@label}: the query needs a \"?\", or :address, :user or :domain, in place " \
                                    "of the account"
        end

        def ask(database, text)
          return nil if text.domain.nil? && @query.match?(/:domain\b/)

          rows = []
          dataset(database, text).each do |row|
            rows << row.values
            raise Error, "more than #{MAX_VALUES} rows" if rows.size > MAX_VALUES
          end
          rows.empty? ? nil : rows.flatten.compact
        end

        def dataset(database, text)
          return database.fetch(@query, *Array.new(@query.count("?"), text.whole)) if @query.include?("?")

          database.fetch(@query, address: text.whole, user: text.user, domain: text.domain)
        end
      end
    end
  end
end
