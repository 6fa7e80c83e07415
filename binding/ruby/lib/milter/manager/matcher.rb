# frozen_string_literal: true

module Milter
  module Manager
    # What an operator may give to recognise a text: a string (the whole text, letter case
    # ignored), a regular expression, a block, or accounts from outside.  Texts are bytes; there is no encoding error.
    class Matcher
      # Make one of what a method of the language was given.
      # @raise [ArgumentError] saying what is wrong
      def self.of(object, block = nil)
        raise ArgumentError, "give a matcher or a block, not both" if object && block

        object = block if object.nil?
        case object
        when Matcher then object
        when String, Regexp, Proc, Method, Accounts then new(object)
        when nil then raise ArgumentError, "a string, a regular expression or a block is needed"
        else
          raise ArgumentError, "#{object.inspect} is not a string, a regular expression, a block or accounts"
        end
      end

      # TEXT as a regular expression that may have a fixed encoding wants it.
      def self.subject(regexp, text)
        unless regexp.fixed_encoding? && regexp.encoding != Encoding::BINARY
          return text.encoding == Encoding::BINARY ? text : text.b
        end

        text.dup.force_encoding(regexp.encoding).scrub("?")
      end

      attr_reader :object

      def initialize(object)
        @object = object
        @string = object.downcase.b if object.is_a?(String)
        @takes_bytes = object.is_a?(Regexp) && !object.fixed_encoding?
      end

      # @param arguments [Array] the text, and what a block may want to see besides
      def match?(text, *arguments)
        text = text.to_s
        return @object.match?(text) if @takes_bytes && text.encoding == Encoding::BINARY

        case @object
        when String then text.b.downcase == @string
        when Regexp then @object.match?(self.class.subject(@object, text))
        when Accounts then @object.include?(text)
        else !!@object.call(*accepted([text, *arguments]))
        end
      end

      private

      # As many of ARGUMENTS as a lambda or method takes.
      def accepted(arguments)
        return arguments if @object.is_a?(Proc) && !@object.lambda?
        return arguments if @object.arity.negative?

        arguments.first(@object.arity)
      end
    end
  end
end
