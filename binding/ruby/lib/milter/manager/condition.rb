# frozen_string_literal: true

module Milter
  module Manager
    # An applicable condition: blocks by step, each of which may stop a child.
    class Condition
      STEPS = %w[connect helo envelope_from envelope_recipient data header end_of_header body
                 end_of_message].freeze

      # A block and the line that defined it.
      Stopper = Struct.new(:block, :origin)

      attr_reader :name, :origin, :stoppers
      attr_accessor :description

      def initialize(name, origin)
        @name = name
        @origin = origin
        @stoppers = Hash.new { |hash, step| hash[step] = [] }
      end

      STEPS.each do |step|
        define_method("define_#{step}_stopper") do |&block|
          raise ConfigurationError, "define_#{step}_stopper needs a block" unless block

          @stoppers[step] << Stopper.new(block, Source.here)
        end
      end

      # Whether it never stops anything.
      def empty?
        @stoppers.empty?
      end

      # For --show-config: what there is, and where; blocks cannot be shown.
      def dump
        lines = ["\ndefine_applicable_condition(#{name.dump}) do |condition| # #{origin}"]
        lines << "  condition.description = #{description.dump}" if description
        stoppers.each do |step, all|
          all.each { |stopper| lines << "  # define_#{step}_stopper # #{stopper.origin}" }
        end
        "#{lines.join("\n")}\nend\n"
      end

      def inspect
        "condition #{name.dump}"
      end
    end
  end
end
