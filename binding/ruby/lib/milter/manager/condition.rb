# frozen_string_literal: true

module Milter
  module Manager
    # An applicable condition: blocks by step, each of which may stop a child.
    class Condition
      STEPS = %w[connect helo envelope_from envelope_recipient data header end_of_header body
                 end_of_message envelope].freeze
      FALLBACKS = %i[apply stop temporary_failure].freeze

      # A block, the line that defined it, and the word for it.
      Stopper = Struct.new(:block, :origin, :word)

      attr_reader :name, :origin, :stoppers, :fallback, :description

      # The Combination that it is; nil: it is none.
      attr_accessor :combination

      def initialize(name, origin)
        @name = name
        @origin = origin
        @fallback = :apply
        @stoppers = Hash.new { |hash, step| hash[step] = [] }
      end

      # What it is for.
      def description=(text)
        unless text.nil? || text.is_a?(String)
          raise ConfigurationError, "condition.description: #{text.inspect} is not a string or nil"
        end

        @description = text
      end

      # What counts when a block raises or takes too long: the child takes part (:apply), is
      # stopped (:stop), or the step is answered with a temporary failure.
      def fallback=(value)
        unless (value.is_a?(Symbol) || value.is_a?(String)) && FALLBACKS.include?(value.to_sym)
          raise ConfigurationError, "condition.fallback: #{value.inspect} is none of " \
                                    "#{FALLBACKS.map(&:inspect).join(', ')}"
        end

        @fallback = value.to_sym
      end

      STEPS.each do |step|
        define_method("define_#{step}_stopper") do |&block|
          raise ConfigurationError, "define_#{step}_stopper needs a block" unless block

          @stoppers[step] << Stopper.new(block, Source.here, "define_#{step}_stopper")
        end
      end

      # Show the child only the recipients for which the block is true: a stopper for each of
      # the others.
      def define_recipient_selector(&block)
        raise ConfigurationError, "define_recipient_selector needs a block" unless block

        hides = ->(context, recipient) { !block.call(context, recipient) }
        @stoppers["envelope_recipient"] << Stopper.new(hides, Source.here, "define_recipient_selector")
      end

      # Whether it never stops anything.
      def empty?
        @stoppers.empty?
      end

      def inspect
        "condition #{name.dump}"
      end

      private

      def respond_to_missing?(_name, _include_private = false)
        false
      end

      def method_missing(name, *)
        nearest = Spelling.nearest(name, public_methods - Object.instance_methods)
        raise ConfigurationError, "condition has no \"#{name}\"#{nearest}"
      end
    end
  end
end
