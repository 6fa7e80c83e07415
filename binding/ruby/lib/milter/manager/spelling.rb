# frozen_string_literal: true

require "did_you_mean/spell_checker"

module Milter
  module Manager
    # Helps with misspelt words of the language.
    module Spelling
      # "; the nearest is WORD", or nothing where none is near.
      # @param words [Array<Symbol>] those that there are
      def self.nearest(name, words)
        found = DidYouMean::SpellChecker.new(dictionary: words).correct(name).first
        found ? "; the nearest is #{found}" : ""
      end

      # The same; all words where none is near.
      def self.nearest_or_all(name, words)
        found = nearest(name, words)
        found.empty? ? "; it has #{words.sort.join(', ')}" : found
      end
    end
  end
end
