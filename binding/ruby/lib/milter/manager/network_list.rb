# frozen_string_literal: true

module Milter
  module Manager
    # Clients whose address is in a list of addresses and networks, written in the
    # configuration or in files that are read again when they change.
    class NetworkList < TunableList
      # @param name [String] of the condition
      # @param resolve [#call] makes a path of the configuration absolute
      def initialize(name, resolve = File.method(:expand_path))
        super("network_list(#{name.dump})", resolve)
        @set = AddressSet.new
      end

      # @param network [String, IPAddr]
      def add(network)
        @set.add(parse(network) || wrong(:add, network, "an IP address or network"))
        note(:add, network)
      end

      # A file with an address or network a line, # comments.
      def load(path)
        load_file(:load, path) { |text, file| read(text, file) }
      end

      def include?(socket_address)
        address = AddressSet.of(socket_address)
        return false unless address

        @set.include?(address) || @files.any? { |file| file.value.include?(address) }
      end

      def define_stoppers(condition)
        condition.description ||= "Apply a milter only to clients in a list of networks"
        condition.define_connect_stopper { |_context, _host, socket_address| !include?(socket_address) }
      end

      private

      def parse(text)
        AddressSet.parse(text)
      end

      def read(text, file)
        ListFile.parse(text, file) do |entry, place|
          parse(entry) or
            raise ConfigurationError.new("#{entry.inspect} is not an IP address or network", place)
        end.each_with_object(AddressSet.new) { |network, set| set.add(network) }
      end
    end
  end
end
