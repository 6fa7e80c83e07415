# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Makes a tree of a shell script's tokens.  Nodes are arrays:
      #
      #   [:list, nodes]  [:and, node, node]  [:or, node, node]  [:not, node]  [:pipe, nodes]
      #   [:simple, words, line]  [:if, [[condition, body], …], otherwise]
      #   [:case, word, [[patterns, body], …], line]  [:for, name, words, body, line]
      #   [:while, body]  [:function, name, body]
      class ShellParser
        ENDS = %w[then else elif fi do done esac }].freeze

        def initialize(tokens, path)
          @tokens = tokens
          @path = path
          @at = 0
        end

        def tree
          list = list([])
          fail_at("\"#{peek.text}\" is not expected here") if peek
          list
        end

        private

        def peek = @tokens[@at]
        def take = @tokens[@at].tap { @at += 1 }
        def word?(text) = peek&.kind == :word && peek.text == text
        def operator?(*texts) = peek&.kind == :operator && texts.include?(peek.text)

        # Take TEXT, which what began on line SINCE needs.
        def skip(text, since = nil)
          return take if peek && peek.text == text

          fail_at("\"#{text}\" is missing", peek ? nil : since)
        end

        def fail_at(reason, line = nil)
          raise Problem.new(reason, @path, line || (peek || @tokens.last)&.line)
        end

        def skip_newlines
          take while operator?("\n", ";")
        end

        # Commands up to one of ENDINGS, or to a bracket, or to the end.
        def list(endings)
          nodes = []
          loop do
            take while operator?("\n", ";", "&")
            break if peek.nil? || operator?(")", ";;", ";&", ";;&")
            break if peek.kind == :word && (endings.include?(peek.text) || ENDS.include?(peek.text))

            nodes << and_or
          end
          [:list, nodes]
        end

        def and_or
          left = pipe
          while operator?("&&", "||")
            kind = take.text == "&&" ? :and : :or
            skip_newlines
            left = [kind, left, pipe]
          end
          left
        end

        def pipe
          negated = false
          (take && negated = !negated) while word?("!")
          nodes = [command]
          while operator?("|")
            take
            skip_newlines
            nodes << command
          end
          node = nodes.size == 1 ? nodes.first : [:pipe, nodes]
          negated ? [:not, node] : node
        end

        def command
          return group("(", ")") if operator?("(")
          fail_at("a command is missing") if peek.nil? || peek.kind == :operator

          case peek.text
          when "{" then group("{", "}")
          when "if" then conditional
          when "case" then branch
          when "for", "select" then each
          when "while", "until" then loop_node
          when "function" then function
          else simple
          end
        end

        def group(open, close)
          since = skip(open).line
          list([close]).tap { skip(close, since) }
        end

        def conditional
          branches = []
          since = peek.line
          begin
            take
            condition = list(["then"])
            skip("then", since)
            branches << [condition, list([])]
          end while word?("elif")
          otherwise = word?("else") ? (take && list([])) : [:list, []]
          skip("fi", since)
          [:if, branches, otherwise]
        end

        def branch
          line = take.line
          subject = take.text
          skip_newlines
          skip("in")
          branches = []
          skip_newlines
          until word?("esac")
            fail_at("\"esac\" is missing", line) unless peek
            branches << [patterns, list([])]
            take if operator?(";;", ";&", ";;&")
            skip_newlines
          end
          skip("esac")
          [:case, subject, branches, line]
        end

        def patterns
          take if operator?("(")
          patterns = []
          until operator?(")")
            fail_at("\")\" is missing") unless peek
            patterns << peek.text unless operator?("|")
            take
          end
          skip(")")
          patterns
        end

        def each
          line = take.line
          name = take&.text
          words = []
          if word?("in")
            take
            words << take.text until peek.nil? || peek.kind == :operator
          end
          skip_newlines
          [:for, name, words, body, line]
        end

        def loop_node
          take
          list(["do"])
          [:while, body]
        end

        def body
          return group("{", "}") if word?("{")

          since = skip("do").line
          list([]).tap { skip("done", since) }
        end

        def function
          take
          name = take&.text
          if operator?("(")
            take
            skip(")")
          end
          define(name)
        end

        def define(name)
          skip_newlines
          [:function, name, command]
        end

        def simple
          line = peek.line
          words = []
          words << take.text while peek&.kind == :word
          if words.size == 1 && operator?("(") && @tokens[@at + 1]&.text == ")"
            @at += 2
            return define(words.first)
          end
          [:simple, words, line]
        end
      end
    end
  end
end
