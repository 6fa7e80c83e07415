# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # An account could not be looked up: the condition's fallback decides.  location is that of
      # the source that was asked.
      class Error < LocatedError; end
    end
  end
end

%w[template key cache pool server table postmap sql ldap redis milters_of_user language].each do |name|
  require "milter/manager/accounts/#{name}"
end

module Milter
  module Manager
    # Accounts from outside, as conditions ask for them: files, SQL, LDAP, Redis.  Of several
    # sources the first that knows an account answers.
    class Accounts < Tunable
      DEFAULTS = { lifetime: 60, pool: 4, timeout: 5, delimiter: "+" }.freeze
      POOL_MAX = 100

      attr_reader :name, :lifetime, :pool, :timeout, :delimiter, :origin

      # @param resolve [#call] makes a path of the configuration absolute
      def initialize(name, resolve = File.method(:expand_path))
        super("accounts(#{name.dump})")
        @name = name
        @resolve = resolve
        @origin = Source.here
        @sources = []
        DEFAULTS.each { |item, value| instance_variable_set("@#{item}", value) }
      end

      # A file: "path" with a key and what it says a line, or "type:path" of Postfix.
      def file(table)
        wrong(:file, table, "a path or type:path") unless table.respond_to?(:to_str) && !table.to_str.empty?
        type, path = table.to_str.match(/\A(?:([a-z][a-z0-9_]*):)?(.+)\z/m).captures
        check_kind(table, type)
        path = @resolve.call(path)
        if type.nil? || Table::KINDS.include?(type)
          @sources << [Table.new(type || "list", path), Source.here]
        else
          add(Postmap, "file #{table}", "#{type}:#{path}")
        end
        note(:file, table.to_str)
      end

      # A database: "sqlite:path", "postgres://user@host/database", "mysql2://user@host/database".
      def sql(url, query:, **options)
        url = secret_url(:sql, url)
        options = with_secrets(options)
        add(SQL, "sql #{url}", url, query, resolve: @resolve, **options)
        note(:sql, url, { query: query, **options })
      end

      # A directory: see LDAP for what can be given.
      def ldap(host:, base:, filter:, **options)
        options = with_secrets(options)
        all = { host: host, base: base, filter: filter, **options }
        add(LDAP, "ldap #{host}", **all)
        note(:ldap, all)
      end

      # Redis: see Redis for what can be given.
      def redis(url:, key:, **options)
        all = { url: secret_url(:redis, url), key: key, **with_secrets(options) }
        add(Redis, "redis #{all[:url]}", **all)
        note(:redis, all)
      end

      # Seconds for which an answer is kept, also that there is none; 0: not at all.
      def lifetime=(seconds)
        @lifetime = check_number(:lifetime, seconds, whole: false)
        note_set(:lifetime, seconds)
      end

      # Connections of one worker to one server.
      def pool=(count)
        check_number(:pool, count, min: 1)
        wrong(:pool, count, "a whole number up to #{POOL_MAX}") if count > POOL_MAX
        @pool = count
        note_set(:pool, count)
      end

      # Seconds that a look-up may take.
      def timeout=(seconds)
        @timeout = check_number(:timeout, seconds, min: 0.01, whole: false)
        note_set(:timeout, seconds)
      end

      # What starts the extension of an address; nil: nothing does.
      def delimiter=(text)
        wrong(:delimiter, text, "a character or nil") unless text.nil? || (text.is_a?(String) && text.size == 1)
        @delimiter = text
        note_set(:delimiter, text)
      end

      # @param subject [String, IPAddr, SocketAddress::Base] a mail address, or a client's
      # @return [Array<String>, nil] what the sources say of it; nil: they do not know it
      # @raise [Error] when a server cannot be asked
      def find(subject)
        raise ConfigurationError, "#{@word} cannot be asked while the configuration loads" if LoadGuard.active?

        key = Key.of(subject, delimiter: @delimiter) or return nil
        @sources.each do |source, origin|
          found = source.find(key)
          return found if found
        rescue Error => error
          raise Error.new("#{@word}: #{error.message}", origin)
        end
        nil
      end
      alias [] find

      # Whether a source knows it.
      def include?(subject)
        !find(subject).nil?
      end

      # The words that the sources say of it; nil where they say nothing.
      def words(subject)
        found = find(subject)
        return nil if found.nil? || found.empty?

        found.flat_map { |text| text.scrub("?").split(/[,;\s]+/) }.reject(&:empty?)
      end

      # For the end of loading: a name that is written differently elsewhere shows here.
      def settle
        return unless @sources.empty?

        raise ConfigurationError.new("#{@word} has no source: give it a file, sql, ldap or redis", @origin)
      end

      private

      def defaults
        DEFAULTS
      end

      def add(kind, label, *arguments, **options)
        @sources << [kind.new(self, label, *arguments, **options), Source.here]
      rescue ArgumentError => error
        raise ConfigurationError, "#{@word}: #{label}: #{error.message}"
      end

      def check_kind(table, type)
        return if type.nil? || Table::KINDS.include?(type) || Postmap::KINDS.include?(type)

        wrong(:file, table, "a path or type:path with a type of Postfix (a path with a colon begins with ./ or /)")
      end

      def secret_url(method, url)
        return Secret.of_url(url.to_str) if url.respond_to?(:to_str)

        wrong(method, url, "a URL")
      end

      def with_secrets(options)
        return options unless options[:password]

        { **options, password: Secret.of(options[:password]) }
      end
    end
  end
end
