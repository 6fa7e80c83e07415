# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # What a source of accounts is asked for: an address of MAIL or RCPT, or a client's address.
      class Key
        # One text that is looked up, and the parts of it that queries can use.
        Text = Struct.new(:whole, :user, :domain) do
          # Databases hold text; what is none cannot be in them.
          def text?
            whole.valid_encoding? && !whole.include?("\0")
          end
        end

        class << self
          # @param subject [String, EnvelopeAddress, IPAddr, SocketAddress::Base]
          # @return [Key, nil] nil: there is nothing to look up, such as a unix socket
          def of(subject, delimiter: "+")
            if subject.respond_to?(:to_ip_address)
              client(AddressSet.of(subject))
            elsif subject.is_a?(IPAddr)
              client(AddressSet.parse(subject))
            else
              mail_or_client(subject, delimiter)
            end
          end

          private

          def client(address)
            address && new(address: address)
          end

          def mail_or_client(subject, delimiter)
            mail = EnvelopeAddress.of(subject)
            address = AddressSet.parse(mail.address_spec) unless mail.domain
            address ? new(address: address) : new(mail: mail, delimiter: delimiter)
          end
        end

        # The client's address, an IPAddr; nil for a mail address.
        attr_reader :address

        def initialize(address: nil, mail: nil, delimiter: nil)
          @address = address
          @mail = mail
          @delimiter = delimiter
        end

        # The address as one text.
        def whole
          @address ? AddressSet.text(@address) : text_of(@mail)
        end

        # @param kind [Symbol] :address: the address, and that without its extension;
        #   :access: all keys of Postfix's access(5)
        # @return [Array<Text>] most specific first
        def texts(kind)
          keys = kind == :access ? access_keys : address_keys
          keys.map { |key| split(key) }
        end

        private

        def text_of(mail)
          mail.null? ? "<>" : mail.address_spec
        end

        def address_keys
          return [whole] if @address || @mail.null?

          host = @mail.domain && "@#{@mail.domain}"
          PostfixAccessKeys.locals_of(@mail.local_part, @delimiter).map { |local| "#{local}#{host}" }
        end

        def access_keys
          return PostfixAccessKeys.of_client(@address) if @address

          keys = PostfixAccessKeys.of_address(@mail, delimiter: @delimiter)
          host = @mail.address_spec unless @mail.domain # "example.com", as lists of domains are asked
          host&.include?(".") ? keys + PostfixAccessKeys.of_host(host) : keys
        end

        def split(key)
          user, at, domain = key.b.rpartition("@")
          key = text(key)
          at.empty? ? Text.new(key, key, nil) : Text.new(key, text(user), domain.empty? ? nil : text(domain))
        end

        def text(bytes)
          bytes.dup.force_encoding(Encoding::UTF_8)
        end
      end
    end
  end
end
