# frozen_string_literal: true

module Milter
  module Manager
    # All policies and the condition "Policy" that applies them.
    class Policies
      CONDITION = "Policy"

      # Which policies of a child fitted so far, in the session and in the message.
      Progress = Struct.new(:session, :message)

      def initialize
        @by_milter = Hash.new { |hash, name| hash[name] = [] }
      end

      # @param milters [Array<String>] the children POLICY is for
      def add(policy, milters)
        milters.each do |name|
          @by_milter[name].reject! { |other| other.name == policy.name }
          @by_milter[name] << policy
        end
      end

      def define_stoppers(condition)
        condition.define_connect_stopper do |context, host, socket_address|
          in_session(context) do |policy|
            policy.fits?(:host, host) && policy.fits?(:address, AddressSet.of(socket_address))
          end
        end
        condition.define_helo_stopper do |context, fqdn|
          in_session(context) { |policy| policy.fits?(:fqdn, fqdn) }
        end
        condition.define_envelope_from_stopper do |context, from|
          start_message(context)
          in_message(context) { |policy| policy.fits?(:from, EnvelopeAddress.of(from).address_spec) }
        end
        condition.define_envelope_recipient_stopper do |context, recipient|
          in_envelope(context, recipient).empty?
        end
      end

      private

      def progress(context)
        ConditionState.fetch(context, self) do
          all = @by_milter.fetch(context.name.to_s, [])
          Progress.new(all, all)
        end
      end

      def in_session(context, &block)
        state = progress(context)
        state.session = state.session.select(&block)
        state.message = state.session
        state.session.empty?
      end

      def start_message(context)
        state = progress(context)
        state.message = state.session
      end

      def in_message(context, &block)
        state = progress(context)
        state.message = state.message.select(&block)
        state.message.empty?
      end

      # The child is for this recipient if a policy that fits so far says so.
      def in_envelope(context, recipient)
        text = EnvelopeAddress.of(recipient).address_spec
        progress(context).message.select { |policy| policy.fits?(:recipient, text) }
      end
    end
  end
end
