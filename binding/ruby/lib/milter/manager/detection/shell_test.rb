# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # The conditions of a script: true, false, or nil where files do not tell.  A part of Shell.
      module ShellTest
        YES = /\A(?:yes|true|on|1)\z/i

        private

        # test(1)
        def test(words)
          return nil if words.any? { |word| word.include?(SocketSpec::UNKNOWN) }
          return any(words.slice_when { |a, b| a == "-o" || b == "-o" }) if words.include?("-o")
          return all(words.slice_when { |a, b| a == "-a" || b == "-a" }) if words.include?("-a") && words.size > 3

          negated = words.first == "!" && words.size > 1
          result = primary(negated ? words.drop(1) : words)
          negated && !result.nil? ? !result : result
        end

        def any(parts)
          results = parts.reject { |part| part == ["-o"] }.map { |part| test(part) }
          results.include?(true) ? true : (results.include?(nil) ? nil : false)
        end

        def all(parts)
          results = parts.reject { |part| part == ["-a"] }.map { |part| test(part) }
          results.include?(false) ? false : (results.include?(nil) ? nil : true)
        end

        def primary(words)
          case words.size
          when 0 then false
          when 1 then !words[0].empty?
          when 2 then unary(*words)
          when 3 then binary(*words)
          end
        end

        def unary(operator, word)
          case operator
          when "-n" then !word.empty?
          when "-z" then word.empty?
          when "-e", "-r" then @root.exist?(word)
          when "-f" then @root.file?(word)
          when "-d" then @root.directory?(word)
          when "-x" then @root.executable?(word) || @root.directory?(word)
          when "-s" then @root.size(word).to_i.positive?
          when "-h", "-L" then !@root.link(word).nil?
          end
        end

        def binary(left, operator, right)
          case operator
          when "=", "==" then left == right
          when "!=" then left != right
          when "-eq", "-ne", "-lt", "-le", "-gt", "-ge" then compare(left, operator, right)
          end
        end

        def compare(left, operator, right)
          return nil unless [left, right].all? { |word| word.match?(/\A-?\d+\z/) }

          left.to_i.public_send({ "-eq" => :==, "-ne" => :!=, "-lt" => :<, "-le" => :<=,
                                  "-gt" => :>, "-ge" => :>= }.fetch(operator), right.to_i)
        end

        # grep -q PATTERN FILE
        def grep(words)
          return nil if words.any? { |word| word.include?(SocketSpec::UNKNOWN) }

          options, rest = words.partition { |word| word.start_with?("-") }
          return nil unless rest.size == 2 && options.join.include?("q")

          text = @root.read(rest[1])
          !text.nil? && text.match?(Regexp.new(rest[0]))
        rescue RegexpError, Problem
          nil
        end
      end
    end
  end
end
