# frozen_string_literal: true

module Milter
  module Manager
    # A text table of Postfix's access(5), "user@example.com REJECT", asked by address, host
    # or client as Postfix does.
    class PostfixAccessTable
      # @param source [String, IO] the text
      def self.parse(source, path = nil)
        new.parse(source, path)
      end

      def initialize
        @actions = {}
      end

      def parse(source, path = nil)
        path ||= source.respond_to?(:path) ? source.path : "(table)"
        PostfixTableLines.of(source).each do |text, number|
          key, action = text.split(/\s+/n, 2)
          unless action
            raise PostfixTable::ParseError.new("no action after #{key}", "#{path}:#{number}")
          end

          @actions[key.downcase(:ascii)] ||= action
        end
        self
      end

      # The action for an address of MAIL or RCPT, or nil.
      def find_address(address, delimiter: "+")
        first(PostfixAccessKeys.of_address(address, delimiter: delimiter))
      end

      # The action for a host's name, or nil.
      def find_host(name)
        first(PostfixAccessKeys.of_host(name))
      end

      # The action for a client's address, or nil.
      def find_client(address)
        first(PostfixAccessKeys.of_client(address))
      end

      private

      def first(keys)
        keys.each { |key| return @actions[key] if @actions.key?(key) }
        nil
      end
    end
  end
end
