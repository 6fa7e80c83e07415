# frozen_string_literal: true

module Milter
  module Manager
    # Whether an address is one of some accounts: "user@domain", "user" (at any domain),
    # regular expressions and blocks.
    class AccountList
      def initialize(matchers)
        @matchers = matchers.flatten.map { |matcher| Matcher.of(matcher) }
      end

      def include?(address)
        address = EnvelopeAddress.of(address)
        @matchers.any? do |matcher|
          matcher.match?(address.address_spec) ||
            (matcher.object.is_a?(String) && matcher.match?(address.local_part))
        end
      end
    end
  end
end
