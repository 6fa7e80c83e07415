# frozen_string_literal: true

module Milter
  module Manager
    # The keys under which Postfix's access(5) tables are asked, most specific first.
    module PostfixAccessKeys
      module_function

      # user+extension@domain, user@domain, domain, .parent …, user+extension@, user@; "<>" for
      # the null sender.
      # @param delimiter [String, nil] what starts an address extension
      def of_address(address, delimiter: "+")
        address = EnvelopeAddress.of(address)
        return ["<>"] if address.null?

        locals = locals_of(address.local_part, delimiter)
        return locals.map { |local| "#{local}@" } unless address.domain

        locals.map { |local| "#{local}@#{address.domain}" } +
          of_host(address.domain) + locals.map { |local| "#{local}@" }
      end

      # host.example.com, .example.com, .com: the name itself and its parents.
      def of_host(name)
        name = name.to_s.b.downcase(:ascii).chomp(".")
        parents = []
        rest = name
        while (dot = rest.index("."))
          rest = rest[(dot + 1)..]
          parents << ".#{rest}" unless rest.empty?
        end
        [name, *parents]
      end

      # The address and the networks it is in, whole bytes or groups: 192.0.2.1, 192.0.2 …
      def of_client(address)
        address = AddressSet.parse(address)
        return [] unless address

        separator = address.ipv4? ? "." : ":"
        parts = address.to_s.split(separator, -1)
        parts.size.downto(1).map { |count| parts.first(count).join(separator) }
             .reject { |key| key.end_with?(":") || key.empty? }
      end

      def locals_of(local, delimiter)
        base = delimiter && local[/\A[^#{Regexp.escape(delimiter)}]+(?=#{Regexp.escape(delimiter)})/n]
        [local, base].compact.uniq
      end
    end
  end
end
