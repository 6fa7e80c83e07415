# frozen_string_literal: true

module Milter
  module Manager
    # Postfix's cidr_table(5): "192.0.2.0/24 REJECT", "!2001:db8::/32 OK", if … endif.
    class PostfixCIDRTable < PostfixTable
      # A network, or everything else.
      Pattern = Struct.new(:network, :negated)

      private

      # @param key [String, IPAddr]
      def subject_of(key)
        AddressSet.parse(key)
      end

      def pattern_of(text, place)
        match = text.match(/\A(!*)\s*(\S+)(?:\s+(.*))?\z/mn)
        raise ParseError.new("no pattern", place) unless match

        network = AddressSet.parse(match[2])
        raise ParseError.new("#{match[2]} is not an IP address or network", place) unless network

        check_host_bits(match[2], network, place)
        [Pattern.new(network, match[1].size.odd?), match[3].to_s]
      end

      # As Postfix does: 192.0.2.1/24 is a slip of the pen.
      def check_host_bits(text, network, place)
        start, length = text.delete("[]").split("/")
        return if length.nil? || AddressSet.parse(start) == network.to_range.first

        raise ParseError.new("#{text} has bits beyond its length; write #{AddressSet.text(network)}",
                             place)
      end

      def match(pattern, address)
        # As in Postfix, "!" does not reach across the families.
        pattern.network.family == address.family &&
          pattern.network.include?(address) != pattern.negated
      end
    end
  end
end
