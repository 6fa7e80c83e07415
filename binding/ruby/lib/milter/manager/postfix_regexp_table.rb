# frozen_string_literal: true

module Milter
  module Manager
    # Postfix's regexp_table(5) and pcre_table(5): "/^From: .*bob/ REJECT",
    # "!/\.example$/i OK", if … endif, and $1, ${1}, $(1), $$ in actions.
    class PostfixRegexpTable < PostfixTable
      # A regular expression, or what does not match it.
      Pattern = Struct.new(:regexp, :negated)

      FLAGS = { regexp: "imx", pcre: "imsxAEUX" }.freeze
      GROUP = /\$(?:(\$)|(\d+)|\{(\d+)\}|\((\d+)\))/n

      # @param type [Symbol] :regexp, POSIX's expressions, or :pcre, those of Perl
      def initialize(type = :regexp)
        super()
        @type = type
        raise ArgumentError, "a table is of type regexp or pcre" unless FLAGS.key?(type)
      end

      private

      def subject_of(key)
        key.to_s.b
      end

      def pattern_of(text, place)
        negations = text[/\A[!\s]*/n]
        rest = text[negations.size..]
        delimiter = rest[0]
        if delimiter.nil? || delimiter.match?(/[A-Za-z0-9\s\\]/n)
          raise ParseError.new("a pattern must be between delimiters such as /", place)
        end

        source, flags, action = cut(rest, delimiter, place)
        [Pattern.new(compile(source, flags, place), negations.count("!").odd?), action]
      end

      # Pattern, flags and what follows; a delimiter after a backslash is a letter.
      def cut(rest, delimiter, place)
        quoted = Regexp.escape(delimiter)
        match = rest.match(/\A#{quoted}((?:\\.|(?!#{quoted}).)*)#{quoted}(\w*)(?:\s+(.*))?\z/mn)
        raise ParseError.new("the pattern has no second #{delimiter}", place) unless match

        [match[1].gsub(/\\#{quoted}/n) { delimiter == "/" ? "/" : Regexp.last_match(0) },
         match[2], match[3].to_s]
      end

      # Each flag toggles: "i" turns the ignoring of letter case off.
      def compile(source, flags, place)
        unknown = flags.delete(FLAGS[@type])
        raise ParseError.new("unknown flag #{unknown.inspect}", place) unless unknown.empty?

        @type == :pcre ? perl(source, flags) : posix(source, flags)
      rescue RegexpError => error
        raise ParseError.new("#{source}: #{error.message}", place)
      end

      def posix(source, flags)
        PosixPattern.new(source, ignore_case: flags.count("i").even?, lines: flags.count("m").odd?,
                                 extended: flags.count("x").even?).to_regexp
      end

      # Postfix starts with "s" (a dot matches a line's end) and "i" on.
      def perl(source, flags)
        raise RegexpError, "flag U is not supported" if flags.include?("U")

        options = Regexp::NOENCODING
        options |= Regexp::IGNORECASE if flags.count("i").even?
        options |= Regexp::MULTILINE if flags.count("s").even?
        options |= Regexp::EXTENDED if flags.count("x").odd?
        source = "\\A(?:#{source})" if flags.count("A").odd?
        Regexp.new(flags.count("m").odd? ? source : whole(source, flags.count("E").odd?), options)
      end

      # "^" and "$" as the ends of the text, where Ruby means those of a line.
      def whole(source, strict)
        source.gsub(/\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\^|\$/mn) do |token|
          case token
          when "^" then "\\A"
          when "$" then strict ? "\\z" : "\\Z"
          else token
          end
        end
      end

      def check_action(pattern, action, place)
        groups = action.scan(GROUP).map(&:compact).map(&:first).grep(/\d/).map(&:to_i)
        return if groups.empty?
        raise ParseError.new("$#{groups.first} after a pattern with !", place) if pattern.negated

        count = Regexp.union(pattern.regexp, //).match("").size - 1
        over = groups.find { |group| group > count }
        raise ParseError.new("$#{over}: the pattern has only #{count} groups", place) if over
      end

      def match(pattern, subject)
        found = pattern.regexp.match(subject)
        pattern.negated ? !found : found
      end

      def expand(action, match)
        return action unless action.include?("$")

        action.gsub(GROUP) do
          found = Regexp.last_match
          found[1] ? "$" : match[(found[2] || found[3] || found[4]).to_i].to_s
        end
      end
    end
  end
end
