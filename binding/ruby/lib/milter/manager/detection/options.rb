# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # Looks for options in the words of a command, the way getopt(3) reads them.
      module Options
        LOOKS_LIKE_SOCKET = %r{\A(?:/|(?:unix|local|inet6?):)}

        module_function

        # The value of the last of NAMES ("-p", "--socket") in WORDS, or nil.
        def value(words, names)
          found = nil
          words.each_with_index do |word, i|
            break if word == "--"

            names.each { |name| found = one(word, words[i + 1], name) || found }
          end
          found
        end

        # Words that are neither options nor, where they follow one of TAKING, its value.
        def plain(words, taking = [])
          previous = nil
          words.drop(1).reject do |word|
            is_value = taking.include?(previous)
            previous = word
            is_value || word.start_with?("-")
          end
        end

        def one(word, following, name)
          if name.start_with?("--")
            return following if word == name

            word.start_with?("#{name}=") ? word[(name.size + 1)..] : nil
          elsif word == name || (bundled?(word, name) && following&.match?(LOOKS_LIKE_SOCKET))
            following
          elsif word.start_with?(name) && !word.start_with?("--")
            word[name.size..]
          end
        end

        # "-fp" for "-f -p"
        def bundled?(word, name)
          word.match?(/\A-[a-zA-Z]{2,4}\z/) && word.end_with?(name[1])
        end

        private_class_method :one, :bundled?
      end
    end
  end
end
