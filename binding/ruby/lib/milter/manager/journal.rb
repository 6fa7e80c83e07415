# frozen_string_literal: true

module Milter
  module Manager
    # What a configuration did that is no item of the settings table, in the order in which it
    # happened: for --show-config.
    class Journal
      # TEXT: as it can be written again, nil where only its source can.
      Entry = Struct.new(:origin, :text)

      # REMOVALS: names of removed children, and where that was.
      attr_reader :entries, :files, :removals

      def initialize
        @entries = []
        @removals = {}
        @files = {}
      end

      def removed = @removals.keys

      def add(text)
        @entries << Entry.new(Source.here, text)
      end

      # The child NAME was removed.
      def remove(name)
        @removals[name] = Source.here
        add("remove_milter(#{name.dump})")
      end

      # FILE was evaluated by a load at ORIGIN.
      def add_file(origin, file)
        (@files[origin] ||= []) << file
      end
    end
  end
end
