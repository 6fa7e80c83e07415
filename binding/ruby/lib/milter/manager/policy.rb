# frozen_string_literal: true

module Milter
  module Manager
    # The argument of define_policy's block: which sessions some children are for.  A child
    # takes part in what at least one of its policies fits; what a policy does not name fits.
    class Policy
      ITEMS = %i[host address fqdn from recipient].freeze

      attr_reader :name

      def initialize(name)
        @name = name
        @milters = nil
        @tests = {}
      end

      # Names of the children it is for; nil: all that are defined so far.
      attr_reader :milters

      def milters=(names)
        @milters = Array(names).map(&:to_s)
      end

      # The client's name, the name it gives at HELO, and the addresses of MAIL and of each
      # RCPT (without < and >): strings, regular expressions, blocks, or arrays of them.
      %i[host fqdn from recipient].each do |item|
        define_method("#{item}=") do |matchers|
          @tests[item] = [matchers].flatten.map { |matcher| Matcher.of(matcher) }
        rescue ArgumentError => error
          raise ConfigurationError, "policy.#{item}: #{error.message}"
        end
      end

      # The client's address: addresses and networks.
      def address=(networks)
        @tests[:address] = [networks].flatten.each_with_object(AddressSet.new) do |text, set|
          network = AddressSet.parse(text)
          unless network
            raise ConfigurationError, "policy.address: #{text.inspect} is not an IP address or network"
          end
          set.add(network)
        end
      end

      # Whether VALUE is what ITEM asks for.
      def fits?(item, value)
        test = @tests[item]
        return true unless test
        return test.include?(value) if item == :address

        test.any? { |matcher| matcher.match?(value) }
      end

      private

      def respond_to_missing?(_name, _include_private = false)
        false
      end

      def method_missing(name, *)
        wanted = name.to_s.chomp("=")
        raise ConfigurationError, "policy has no item \"#{wanted}\"#{Spelling.nearest_or_all(wanted, [:milters, *ITEMS])}"
      end
    end
  end
end
