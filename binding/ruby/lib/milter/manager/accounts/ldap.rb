# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # Accounts in a directory, asked through net-ldap.
      #
      # Its Connection is what Net::LDAP itself works with; only that can be kept open and used
      # by one look-up after the other.
      class LDAP < Server
        ENCRYPTIONS = [nil, :start_tls, :tls].freeze
        PORTS = Hash.new(389).merge!(tls: 636).freeze
        NO_ATTRIBUTE = "1.1" # asks for entries without any, RFC 4511 4.5.1.8
        SUCCESS = 0

        # @param filter [String] with %s for the account, %u for its user, %d for its domain
        # @param attribute [String, Array<String>, nil] nil: whether there is an entry is all that counts
        def initialize(settings, label, host:, base:, filter:, port: nil, attribute: nil, bind_dn: nil, password: nil,
                       encryption: nil, ca_file: nil, keys: :address)
          super(settings, label, keys)
          Library.load("net/ldap", "ruby-net-ldap", label)
          @encryption = check_encryption(encryption)
          @server = { host: host, port: port || PORTS[encryption], encryption: tls(ca_file) }
          @base = base
          @filter = check_filter(filter)
          @attributes = attribute ? Array(attribute).map(&:to_s) : [NO_ATTRIBUTE]
          @login = login(bind_dn, password)
        end

        def threaded? = false

        # A connection that is bound.
        def connect
          connection = Net::LDAP::Connection.new({ **@server, connect_timeout: @settings.timeout })
          result = connection.bind(@login)
          check(result, "bind")
          bound = connection
        ensure
          connection&.close unless bound
        end

        def disconnect(connection)
          connection.close
        end

        private

        def check_encryption(encryption)
          return encryption if ENCRYPTIONS.include?(encryption)

          raise ConfigurationError, "#{@label}: encryption: #{encryption.inspect} is none of :start_tls, :tls, nil"
        end

        # The server's certificate is checked.
        def tls(ca_file)
          return nil unless @encryption

          require "openssl"
          options = OpenSSL::SSL::SSLContext::DEFAULT_PARAMS
          options = { **options, ca_file: ca_file } if ca_file
          { method: @encryption == :tls ? :simple_tls : :start_tls, tls_options: options }
        end

        def login(bind_dn, password)
          return { method: :anonymous } unless bind_dn

          { method: :simple, username: bind_dn, password: password.is_a?(Secret) ? password.value : password.to_s }
        end

        def check_filter(filter)
          raise ConfigurationError, "#{@label}: the filter needs %s, %u or %d in place of the account" \
            unless Template.uses_key?(filter)

          raise ConfigurationError, "#{@label}: filter #{filter.inspect}: its parentheses do not match" unless balanced?(filter)

          Net::LDAP::Filter.construct(Template.expand(filter, Key::Text.new("a@b", "a", "b")))
          filter
        rescue Net::LDAP::Error => error
          raise ConfigurationError, "#{@label}: filter #{filter.inspect}: #{error.message}"
        end

        # net-ldap takes what is left open, and forgets what comes behind.
        def balanced?(filter)
          depth = 0
          filter.strip.each_char.with_index(1) do |char, n|
            depth += { "(" => 1, ")" => -1 }.fetch(char, 0)
            return false if depth.negative? || (char == ")" && depth.zero? && n < filter.strip.size)
          end
          depth.zero?
        end

        def ask(connection, text)
          filter = Template.expand(@filter, text) { |part| Net::LDAP::Filter.escape(part) } or return nil
          entries = []
          result = connection.search(base: @base, filter: Net::LDAP::Filter.construct(filter), attributes: @attributes,
                                     scope: Net::LDAP::SearchScope_WholeSubtree, size: MAX_VALUES,
                                     time: @settings.timeout.ceil) { |entry| entries << entry }
          check(result, "search")
          entries.empty? ? nil : entries.flat_map { |entry| @attributes.flat_map { |name| entry[name].to_a } }
        end

        def check(result, what)
          return if result.result_code == SUCCESS

          text = [Net::LDAP::ResultStrings[result.result_code], result.error_message.to_s].compact.reject(&:empty?)
          raise Error, "#{what}: #{text.empty? ? result.result_code : text.uniq.join(', ')}"
        end
      end
    end
  end
end
