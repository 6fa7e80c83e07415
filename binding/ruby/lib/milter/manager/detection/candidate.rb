# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # A milter that was found: what is registered, and why.
      class Candidate
        # Name of the child, "opendkim"; of the kind of milter, "opendkim", or "other".
        attr_reader :name, :kind
        # Path of the unit or script that starts it, and its name there, "opendkim.service".
        attr_reader :unit, :unit_name
        # Where it listens, as milter.connection_spec takes it, or nil; "FILE:LINE" that said so.
        attr_reader :connection_spec, :spec_origin
        # milter.description, milter.command and milter.command_options, or nil.
        attr_reader :description, :command, :command_options
        # Names of default conditions.
        attr_reader :conditions
        # Items of milter with seconds to add to their defaults: { "reading_timeout" => 10.0 }.
        attr_reader :timeouts
        # What it does (see Roles), in the order in which it does it; one of them decides its place.
        attr_reader :roles, :role
        # "FILE:LINE: reason" of what could not be read.
        attr_reader :errors
        # The user it runs as, as far as the unit tells, or nil.
        attr_reader :user

        def initialize(name:, kind:, unit:, unit_name:, enabled:, reason:, connection_spec: nil,
                       spec_origin: nil, description: nil, command: nil, command_options: nil,
                       conditions: [], timeouts: {}, roles: [], role: nil, errors: [], user: nil)
          @name = name
          @kind = kind
          @unit = unit
          @unit_name = unit_name
          @enabled = enabled
          @reason = reason
          @connection_spec = connection_spec
          @spec_origin = spec_origin
          @description = description
          @command = command
          @command_options = command_options
          @conditions = conditions
          @timeouts = timeouts
          @roles = roles
          @role = role || roles.first
          @errors = errors
          @user = user
        end

        # Whether the system starts it, and it is configured: it is registered as enabled, when its
        # socket is known.
        def enabled? = @enabled

        # Whether mail goes through it without the operator's doing.
        def usable? = enabled? && !connection_spec.nil?

        # Why it is enabled, or not: a sentence with FILE:LINE.
        attr_reader :reason

        # Take it out, for another REASON.
        def disable(reason)
          @enabled = false
          @reason = reason
          self
        end

        # "opendkim-sign": the same milter at its other place.
        def for_role(role, name, conditions)
          dup.tap { |other| other.become(role, name, conditions) }
        end

        protected

        def become(role, name, conditions)
          @name = name
          @role = role
          @conditions = conditions
        end
      end
    end
  end
end
