# frozen_string_literal: true

module Milter
  module Manager
    # What detection and the operator have said together, when everything is loaded: who is used,
    # and in which order.  Part of DetectGroup.
    module DetectSettling
      private

      def settle_all
        settle_signers if enabled
        settle_own_sockets
        drop_registered unless enabled
        settle_enabled
        settle_doubles
        settle_order
      end

      # Detection was switched off after load_default: what it found goes, what the operator has
      # given a socket stays.
      def drop_registered
        @registered.each_key do |name|
          Native.remove_child(name) if child?(name) && !own?(name, "connection_spec")
        end
        @registered.clear
        @reasons.clear
      end

      # One program signs and verifies: NAME-sign goes where the operator sends NAME.
      def settle_signers
        @registered.each_key do |name|
          sign = "#{name}#{DetectGroup::SIGN}"
          next unless both_roles.include?(name) && child?(name) && child?(sign)
          next if own?(sign, "connection_spec") || !own?(name, "connection_spec")

          Native.set("milter", sign, "connection_spec", Native.get("milter", name, "connection_spec"),
                     Native.origin("milter", name, "connection_spec"))
        end
      end

      # Who says where a milter listens wants it used, also where the system does not start it.
      def settle_own_sockets
        @registered.each do |name, candidate|
          next if !child?(name) || own?(name, "enabled") || Native.get("milter", name, "enabled")
          next unless own?(name, "connection_spec") && Native.get("milter", name, "connection_spec")

          origin = Native.origin("milter", name, "connection_spec")
          Native.set("milter", name, "enabled", true, origin)
          @reasons[name] = "its connection_spec is set at #{origin}; by the system it is #{candidate.reason}"
        end
      end

      # What is not there, or whose socket nobody told, is off.
      def settle_enabled
        (@registered.keys | @touched).each do |name|
          next unless child?(name) && Native.get("milter", name, "connection_spec").nil?
          next unless Native.get("milter", name, "enabled")

          turn_off(name, @registered[name]&.reason || "it is amended in the configuration, but #{missing}")
          next if @registered[name]

          Native.announce("detection: milter=#{name} is amended in the configuration, but #{missing}")
        end
      end

      def missing
        enabled ? "not installed" : "detect.enabled is false"
      end

      # A child that the operator has defined counts more than one found at the same socket.
      def settle_doubles
        own = (@configuration.defined_milters - @registered.keys).select { |name| Native.get("milter", name, "enabled") }
        @registered.each_key do |name|
          next unless child?(name) && Native.get("milter", name, "enabled")

          spec = Native.get("milter", name, "connection_spec")
          other = own.find { |each| same_socket?(Native.get("milter", each, "connection_spec"), spec) }
          next unless other

          @replaced[name] = other
          turn_off(name, "replaced by #{other}, #{Native.origin('milter', other, nil)}")
        end
      end

      def same_socket?(spec, other)
        SocketSpec.key(spec) == SocketSpec.key(other)
      end

      def turn_off(name, reason)
        @reasons[name] = reason
        Native.set("milter", name, "enabled", false, "#{DetectGroup::ORIGIN}#{@registered[name]&.unit || 'not found'}")
      end

      # Those that were found, and all that are named in detect.order, change places.
      def settle_order
        check_order
        exchange
        named = order.flat_map { |each| @configuration.defined_milters.select { |name| called?(name, each) } }
        found = @registered.keys.sort_by.with_index { |name, i| [Detection::Roles.rank(@registered[name].role), i] }
        Native.order_children((named + found).map { |name| @replaced.fetch(name, name) }.uniq)
      end

      # The operator's child stands where the one that it replaces would.
      def exchange
        names = @configuration.defined_milters
        @replaced.to_a.uniq(&:last).each do |pair|
          there, here = pair.map { |name| names.index(name) }
          names[there], names[here] = names[here], names[there]
        end
        Native.order_children(names)
      end

      def check_order
        known = @configuration.defined_milters + @registered.keys + candidates.map(&:name) +
                @configuration.journal.removals.keys + both_roles.map { |name| "#{name}#{DetectGroup::SIGN}" } +
                Detection::Roles::ORDER.map(&:to_s) + Detection::Kinds::ALL.map(&:name) + [Detection::OtherKind::NAME]
        (order - known).reject { |word| absent?(word) }.each do |word|
          Native.note("#{Native.origin('detect', nil, 'order')}: detect.order: #{word.dump} is no milter, kind or place; " \
                      "it changes nothing")
        end
      end

      def called?(name, word)
        name == word || @registered[name]&.kind == word || @registered[name]&.role.to_s == word
      end

      def child?(name)
        @configuration.defined_milters.include?(name)
      end

      # Whether the operator has set ITEM of NAME.
      def own?(name, item)
        origin = Native.origin("milter", name, item)
        !origin.nil? && !origin.start_with?(DetectGroup::ORIGIN)
      end
    end
  end
end
