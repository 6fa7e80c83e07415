# frozen_string_literal: true

require "ripper"

module Milter
  module Manager
    # A configuration file cut into its top-level statements, in the order in which they are
    # evaluated: what is in BEGIN { } comes first, without these words, which may stand only where
    # the text of other files is not.
    class Statements
      # Lines of the file that belong together, and what is in them.
      class Statement
        attr_reader :first, :last, :nodes
        attr_accessor :text

        def initialize(first, last, node)
          @first = first
          @last = last
          @nodes = [node]
        end

        def join(last, node)
          @last = [@last, last].max
          @nodes << node
        end

        def include?(line)
          line.between?(@first, @last)
        end
      end

      # What a block or assignment leaves behind for later statements.
      ASSIGNMENTS = %i[LASGN DASGN DASGN_CURR IASGN GASGN CVASGN CDECL MASGN DEFN DEFS CLASS MODULE SCLASS].freeze

      # The brackets in Ruby's tokens, as these count.
      OPENING = %i[on_lbrace on_tlambeg on_embexpr_beg].freeze
      CLOSING = %i[on_rbrace on_embexpr_end].freeze

      # @param text [String] that has been evaluated: its syntax is right
      def initialize(text)
        @early = []
        text = plain(text)
        @lines = text.lines
        root = RubyVM::AbstractSyntaxTree.parse(text)
        @locals = (root.children[0] || []).compact
        @all = group(top_level(root.children[2]))
        cut
        @all = @all.partition { |statement| @early.any? { |lines| lines.cover?(statement.first) } }.flatten
      end

      include Enumerable

      attr_reader :locals

      def each(&block)
        @all.each(&block)
      end

      # The outermost receiver's or function's name: :dnsbl of dnsbl.add_service("x"); nil: none.
      def self.word(node)
        case node.type
        when :CALL, :QCALL, :ATTRASGN, :OP_ASGN2, :ITER
          receiver = node.children[0]
          receiver.type == :SELF ? node.children[1] : word(receiver)
        when :FCALL, :VCALL then node.children[0]
        end
      end

      # The method of `word.method`, nil where there is none.
      def self.member(node)
        node = node.children[0] if node.type == :ITER
        return nil unless %i[CALL QCALL ATTRASGN OP_ASGN2].include?(node.type)

        node.type == :OP_ASGN2 ? :"#{node.children[2]}=" : node.children[1]
      end

      # Whether NODE sets something that a later statement may use.
      def self.assigns?(node)
        return true if ASSIGNMENTS.include?(node.type)

        node.children.any? do |child|
          child.is_a?(RubyVM::AbstractSyntaxTree::Node) && child.type != :SCOPE && assigns?(child)
        end
      end

      private

      # TEXT without what is behind __END__, and with blanks in place of BEGIN { and its }.
      def plain(text)
        return text unless text.match?(/^__END__|\bBEGIN\b/)

        tokens = Ripper.lex(text)
        lines = text.b.lines
        ending = tokens.find { |_, kind| kind == :on___end__ }
        tokens.each_with_index do |((line, _), kind, word), i|
          next unless kind == :on_kw && word == "BEGIN"

          opening, closing = braces(tokens, i)
          [[tokens[i], word], [opening, "{"], [closing, "}"]].each do |((at, column), *), what|
            lines[at - 1][column, what.size] = " " * what.size
          end
          @early << (line..closing[0][0])
        end
        lines[0...(ending ? ending[0][0] - 1 : lines.size)].join.force_encoding(text.encoding)
      end

      # The token { behind the one at FROM, and its }.
      def braces(tokens, from)
        depth = 0
        rest = tokens.drop(from)
        closing = rest.find do |_, kind|
          depth += 1 if OPENING.include?(kind)
          depth -= 1 if CLOSING.include?(kind)
          CLOSING.include?(kind) && depth.zero?
        end
        [rest.find { |_, kind| kind == :on_lbrace }, closing]
      end

      def top_level(body)
        return [] if body.nil?

        nodes = body.type == :BLOCK ? body.children.compact : [body]
        nodes.reject { |node| node.type == :BEGIN && node.children.compact.empty? }
      end

      # Statements that share a line cannot be told apart by the lines that errors and origins name.
      def group(nodes)
        nodes.each_with_object([]) do |node, all|
          first, last = node.first_lineno, node.last_lineno
          if all.last && first <= all.last.last
            all.last.join(last, node)
          else
            all << Statement.new(first, last, node)
          end
        end
      end

      # Here documents end behind their statement: its text goes on to the next one, without
      # the comments before that.
      def cut
        @all.each_with_index do |statement, i|
          behind = i + 1 < @all.size ? @all[i + 1].first : @lines.size + 1
          lines = @lines[statement.first - 1...behind - 1]
          kept = statement.last - statement.first + 1
          lines.pop while lines.size > kept && lines.last.match?(/\A\s*(?:#.*)?$\s*\z/)
          statement.text = lines.join.chomp
        end
      end
    end
  end
end
