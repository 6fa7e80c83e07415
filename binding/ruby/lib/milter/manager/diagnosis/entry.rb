# frozen_string_literal: true

module Milter
  module Manager
    class Diagnosis
      # One milter on the page: a child of the configuration, a candidate of detection, or both.
      class Entry
        # @return [Array<Entry>] the children in their order, then what was found besides
        def self.all(configuration)
          found = configuration.detect
          candidates = found.candidates.to_h { |candidate| [candidate.name, candidate] }.merge(found.registered)
          children = configuration.defined_milters.map do |name|
            new(name, candidates.delete(name), Child.new(name), found.reason(name))
          end
          children + candidates.values.map { |candidate| new(candidate.name, candidate, nil, found.reason(candidate.name)) }
        end

        # The settings of a child.
        class Child
          def initialize(name)
            @name = name
          end

          def origin(item = nil) = Native.origin("milter", @name, item)

          %w[connection_spec enabled evaluation_mode fallback_status applicable_conditions description
             reading_timeout].each do |item|
            define_method(item) { Native.get("milter", @name, item) }
          end
        end

        attr_reader :name, :candidate, :child
        attr_accessor :probe, :permission, :obstacle

        # @param said [String, nil] why it is used or not, where the configuration decides
        def initialize(name, candidate, child, said = nil)
          @name = name
          @candidate = candidate
          @child = child
          @said = said
        end

        # Whether mail goes through it.
        def active?
          !@child.nil? && @child.enabled
        end

        # Whether it is used, or would be if nothing were wrong with it.
        def wanted?
          active? || (!@candidate.nil? && @candidate.enabled? && reason == @candidate.reason)
        end

        def connection_spec
          @child&.connection_spec || @candidate&.connection_spec
        end

        # The "FILE:LINE" that says where it listens.
        def spec_origin
          own = @child&.origin("connection_spec")
          detected? && own_spec? ? @candidate.spec_origin : own || @candidate&.spec_origin || "default"
        end

        def socket
          SocketSpec.parse(connection_spec.to_s)
        end

        def conditions
          @child ? @child.applicable_conditions : @candidate.conditions
        end

        def detected?
          !@candidate.nil?
        end

        # Why it is used, or not.
        def reason
          return @said if @said
          return @candidate.reason if detected? && (@child.nil? || @child.enabled == @candidate.enabled?)

          origin = @child.origin("enabled")
          return "defined at #{@child.origin}" unless origin

          origin.start_with?(DetectGroup::ORIGIN) ? "its connection_spec cannot be used" : "milter.enabled, #{origin}"
        end

        def to_h
          {
            name: @name, kind: @candidate&.kind, role: @candidate&.role, unit: @candidate&.unit,
            registered: !@child.nil?, enabled: active?, reason: reason, connection_spec: connection_spec,
            spec_origin: spec_origin, conditions: conditions, evaluation_mode: @child&.evaluation_mode,
            probe: @probe&.to_h, permission: @permission, errors: @candidate&.errors || []
          }
        end

        private

        # Whether the child's socket is what detection said.
        def own_spec?
          @child.nil? || @child.connection_spec == @candidate.connection_spec
        end
      end
    end
  end
end
