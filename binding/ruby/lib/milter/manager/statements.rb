# frozen_string_literal: true

module Milter
  module Manager
    # A configuration file cut into its top-level statements.
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

      # @param text [String] that has been evaluated: its syntax is right
      def initialize(text)
        @lines = text.lines
        root = RubyVM::AbstractSyntaxTree.parse(text)
        @locals = (root.children[0] || []).compact
        @all = group(top_level(root.children[2]))
        cut
      end

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
