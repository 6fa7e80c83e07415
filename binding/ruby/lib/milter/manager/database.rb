# frozen_string_literal: true

require "milter/manager/library"
require "milter/manager/database_fibers"

module Milter
  module Manager
    # An item that is needed has no value.
    class MissingValue < ConfigurationError; end

    # `database.type` …: one database for models of ActiveRecord, as in 2.x.  The workers connect
    # when a model is used first.
    class DatabaseGroup < ItemGroup
      items_of "database"

      # What ActiveRecord calls a type, what it needs, and the Debian package that has it.
      ADAPTERS = { "mysql2" => %w[mysql2 mysql2 ruby-mysql2], "sqlite3" => %w[sqlite3 sqlite3 ruby-sqlite3],
                   "pg" => %w[postgresql pg ruby-pg], "postgresql" => %w[postgresql pg ruby-pg] }.freeze
      MEMORY = ":memory:"

      # @param resolve [#call] makes a path of the configuration absolute
      # @param find [#call] the files that a path or pattern of the configuration names
      def initialize(resolve = File.method(:expand_path), find = Dir.method(:glob))
        super()
        @resolve = resolve
        @find = find
      end

      # Make models use this database.
      def setup
        check_values
        adapter, feature, package = ADAPTERS.fetch(type)
        load_library
        Library.load(feature, package, "database.setup")
        DatabaseFibers.install(ActiveRecord, adapter)
        values = { "pool" => Threads::MAX, **where, **hash_of_options, "adapter" => adapter }.compact
        # Idle connections are not reaped: that thread would run beside a configuration that loads.
        ActiveRecord::Base.establish_connection({ **values, "reaping_frequency" => nil })
        @is_set_up = true
        nil
      end

      # Evaluate files that define models.
      def load_models(path)
        files = @find.call(path)
        raise ConfigurationError, "database.load_models: there is no #{@resolve.call(path)}" if files.empty?

        setup unless @is_set_up
        files.each { |file| TOPLEVEL_BINDING.eval(Source.read(file), file, 1) }
        nil
      end

      private

      def check_values
        %w[type name].each do |item|
          next unless public_send(item).to_s.empty?
          next if item == "name" && type == "sqlite3" && path

          raise MissingValue, "database.#{item} has no value; database.setup needs it"
        end
      end

      def load_library
        Library.load("active_record", "ruby-activerecord", "database.setup")
      end

      def where
        return { "database" => file } if type == "sqlite3"

        common = { "database" => name, "host" => host, "port" => port.zero? ? nil : port, "username" => user,
                   "password" => password }
        return common if path.nil?

        type == "mysql2" ? { **common, "socket" => path } : { **common, "host" => path }
      end

      def file
        place = path || name
        place == MEMORY ? place : @resolve.call(place)
      end

      def hash_of_options
        extra_options.to_h { |key, value| [key.to_s, value] }
      end
    end
  end
end
