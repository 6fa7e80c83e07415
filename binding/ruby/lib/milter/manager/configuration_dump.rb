# frozen_string_literal: true

require "milter/manager/statements"

module Milter
  module Manager
    # What --show-config prints between the items and the children: the statements of the files
    # in the order in which they were evaluated.  Those that only set items, define children, tune
    # or combine conditions are printed as what they came to; others, which have blocks,
    # variables or functions of their own, as their text.
    class ConfigurationDump
      GROUPS = %i[package security log manager controller database detect].freeze
      CHILDREN = %i[define_milter remove_milter].freeze
      COMBINATIONS = %i[all_of any_of none_of not score].freeze
      LOADS = %i[load load_if_exist load_default].freeze
      DETECTION = %i[milter others register].freeze

      # @param main [String] the file that was evaluated first
      # @param children [Array<String>] names, in order
      def initialize(main, journal, tunables, children, conditions)
        @main = main
        @journal = journal
        @tunables = tunables
        @children = children
        @conditions = conditions
        @words = tunables.map { |tunable| tunable.inspect[/\A\w+/].to_sym }
        @done = {}.compare_by_identity
      end

      def text
        [*children, *file(@main), *defaults, *@conditions.flat_map { |condition| description(condition) }]
          .join("\n").gsub(/\n{3,}/, "\n\n").then { |text| "\n#{Secret.mask(text).strip}\n" }
      end

      private

      # All that the statements below may speak of, in their order: what they are comes behind.
      def children
        (@children | @journal.removed).map { |name| "define_milter(#{name.dump})" }
      end

      def file(path)
        statements = Statements.new(Source.text(path))
        lines = []
        statements.each { |statement| lines.concat(statement(path, statement)) }
        path == @main || statements.locals.empty? ? lines : enclosed(path, statements.locals, lines)
      end

      # Two files may mean different things by a variable.
      def enclosed(path, locals, lines)
        return lines if lines.none? { |line| line.match?(/^[^#\n]/) }

        ["", "# #{path}:1", "lambda do |; #{locals.join(', ')}|", *lines, "end.call", ""]
      end

      def statement(path, statement)
        loaded = statement.nodes.size == 1 && loaded(path, statement)
        return loaded if loaded

        entries = take(path, statement)
        return lines_of(entries) if evaluated?(statement) && entries.all?(&:text)

        ["", "# #{path}:#{statement.first}", statement.text, ""]
      end

      # The statements of the files that a load brought in; nil: it is no plain load.
      def loaded(path, statement)
        node = statement.nodes.first
        return nil unless %i[FCALL VCALL].include?(node.type) && LOADS.include?(Statements.word(node))

        files = (statement.first..statement.last).flat_map { |line| @journal.files["#{path}:#{line}"] || [] }
        files.flat_map { |each| file(each) }
      end

      # Whether what STATEMENT came to says all.
      def evaluated?(statement)
        statement.nodes.all? do |node|
          word = Statements.word(node)
          !Statements.assigns?(node) && (CHILDREN.include?(word) || COMBINATIONS.include?(word) ||
            @words.include?(word) || item?(word, Statements.member(node)))
        end
      end

      def item?(word, member)
        GROUPS.include?(word) && (member.to_s.end_with?("=") || (word == :detect && DETECTION.include?(member)))
      end

      # What STATEMENT did and nobody has printed yet.
      def take(path, statement)
        own = lambda do |origin|
          file, _, line = origin.rpartition(":")
          file == path && statement.include?(line.to_i)
        end
        entries = (@tunables.flat_map(&:calls) + @journal.entries).select { |each| own.call(each.origin) && !@done[each] }
        entries.each { |each| @done[each] = true }
      end

      def lines_of(entries)
        entries.reject { |entry| @children.any? { |name| entry.text == "remove_milter(#{name.dump})" } }
               .map { |entry| "#{entry.text} # #{entry.origin}" }
      end

      # Of what tunes conditions and was not set.
      def defaults
        @tunables.flat_map(&:unset).map { |text| "#{text} # default" }
      end

      # Each condition, in a comment: what its blocks are is above.
      def description(condition)
        ["", "# condition #{condition.name.dump} # #{condition.origin}",
         *("#   description = #{condition.description.dump}" if condition.description),
         "#   fallback = #{condition.fallback.inspect}",
         *condition.stoppers.each_value.flat_map { |all| all.map { |each| "#   #{each.word} # #{each.origin}" } }]
      end
    end
  end
end
