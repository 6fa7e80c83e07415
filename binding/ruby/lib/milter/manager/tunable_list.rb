# frozen_string_literal: true

module Milter
  module Manager
    # A tunable that is a list: its entries stand in the configuration itself and in files of
    # data, which are read again when they change.
    class TunableList < Tunable
      # @param word [String] how the language calls it
      # @param resolve [#call] makes a path of the configuration absolute
      def initialize(word, resolve)
        super(word)
        @resolve = resolve
        @files = []
      end

      private

      # METHOD was given the PATH of a file.
      # @yield [text, path] makes the file's entries; raises ConfigurationError for a bad text
      def load_file(method, path, &parse)
        wrong(method, path, "a path") unless path.respond_to?(:to_str)
        @files << WatchedFile.new(@resolve.call(path.to_str), &parse)
        note(method, path.to_str)
      end
    end
  end
end
