# frozen_string_literal: true

require "milter/manager/statements"

module Milter
  module Manager
    # What --show-config prints between the items and the children: the statements of the files
    # in the order in which they were evaluated.  Those that only set items, define children, tune
    # or combine conditions are printed as what they came to; others, which have blocks,
    # variables or functions of their own, as their text, and behind it the items that it set as
    # they are in the end: they stand before it, too, but it sets them again when it is loaded.
    class ConfigurationDump
      GROUPS = %i[package security log manager controller database detect].freeze
      CHILDREN = %i[define_milter remove_milter].freeze
      COMBINATIONS = %i[all_of any_of none_of not score].freeze
      LOADS = %i[load load_if_exist load_default].freeze
      DETECTION = %i[milter others register].freeze

      # @param main [String] the file that was evaluated first
      # @param children [Array<String>] names, in order
      # @param assignments [Array<ItemGroup::Assignment>]
      def initialize(main, journal, assignments, tunables, children, conditions)
        @main = main
        @journal = journal
        @assignments = assignments
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

        ["", "# #{path}:#{statement.first}", statement.text, *items(path, statement), ""]
      end

      # What STATEMENT set, itself or in files that it loaded, as it is in the end.
      def items(path, statement)
        own = origins(path, statement).to_h { |origin| [origin, true] }
        @assignments.select { |each| own.key?(each.origin) }.map { |each| [each.scope, each.item] }.uniq
                    .map { |scope, item| Native.item_text(scope, item, Secret.are_shown ? true : false) }
      end

      # The lines of STATEMENT, and all that these loaded.
      def origins(path, statement)
        lines = (statement.first..statement.last).map { |line| "#{path}:#{line}" }
        files = lines.flat_map { |line| @journal.files[line] || [] }
        lines + files.uniq.flat_map { |file| Statements.new(Source.text(file)).flat_map { |each| origins(file, each) } }
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
