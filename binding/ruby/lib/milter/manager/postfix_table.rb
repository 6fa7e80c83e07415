# frozen_string_literal: true

module Milter
  module Manager
    # A Postfix table of rules that are tried in order: what cidr and regexp tables share.
    # Rules between "if" and "endif" are tried only where the if's own pattern fits.
    class PostfixTable
      # What a table holds: a rule with its action, or an if with its rules.
      Rule = Struct.new(:pattern, :action)
      Block = Struct.new(:pattern, :rules)

      # A table that cannot be understood; the message names the line.
      class ParseError < ConfigurationError; end

      class << self
        # @param source [String, IO] the text
        # @param path [String] how errors call it
        def parse(source, path = nil)
          new.parse(source, path)
        end
      end

      def initialize
        @rules = []
      end

      # Add the rules of a text.
      def parse(source, path = nil)
        path ||= source.respond_to?(:path) ? source.path : "(table)"
        stack = [Block.new(nil, @rules)]
        opened = []
        PostfixTableLines.of(source).each do |text, number|
          parse_line(text, stack, opened, "#{path}:#{number}")
        end
        raise ParseError.new("if without endif", opened.last) if opened.any?

        self
      end

      # The action of the first rule that fits, or nil.
      def find(key)
        subject = subject_of(key)
        subject && search(@rules, subject)
      end

      private

      def parse_line(text, stack, opened, place)
        case text
        when /\Aif(?=[\s!\/]|\z)\s*(.*)\z/in
          pattern, rest = pattern_of(Regexp.last_match(1), place)
          raise ParseError.new("text after the pattern of if: #{rest}", place) unless rest.empty?

          block = Block.new(pattern, [])
          stack.last.rules << block
          stack << block
          opened << place
        when /\Aendif\s*\z/in
          raise ParseError.new("endif without if", place) if opened.empty?

          stack.pop
          opened.pop
        else
          stack.last.rules << rule_of(text, place)
        end
      end

      def rule_of(text, place)
        pattern, action = pattern_of(text, place)
        raise ParseError.new("no action after the pattern", place) if action.empty?

        check_action(pattern, action, place)
        Rule.new(pattern, action)
      end

      def check_action(_pattern, _action, _place); end

      def search(rules, subject)
        rules.each do |rule|
          match = match(rule.pattern, subject) or next
          found = rule.is_a?(Block) ? search(rule.rules, subject) : expand(rule.action, match)
          return found if found
        end
        nil
      end

      def expand(action, _match)
        action
      end
    end
  end
end
