# frozen_string_literal: true

module Milter
  module Manager
    # What a configuration did that is no item of the settings table, in the order in which it
    # happened: for --show-config.
    class Journal
      # TEXT: as it can be written again, nil where only its source can.
      Entry = Struct.new(:origin, :text)

      # REMOVED: names of children.
      attr_reader :entries, :files, :removed

      def initialize
        @entries = []
        @removed = []
        @files = {}
      end

      def add(text)
        @entries << Entry.new(Source.here, text)
      end

      # The child NAME was removed.
      def remove(name)
        @removed << name
        add("remove_milter(#{name.dump})")
      end

      # FILE was evaluated by a load at ORIGIN.
      def add_file(origin, file)
        (@files[origin] ||= []) << file
      end
    end
  end
end
