# frozen_string_literal: true

module Milter
  module Manager
    # What a configuration file is evaluated in: the functions and objects of the language.
    class Configuration
      include ConditionLanguage
      include Accounts::Language

      MAIN_FILE = "milter-manager.conf"

      attr_reader :directory, :journal, :package, :security, :log, :manager, :controller, :database,
                  :detect, :conditions, :hooks

      # @param directory [String] absolute path of the configuration directory
      def initialize(directory)
        @directory = directory
        @hooks = Hooks.new
        @journal = Journal.new
        @conditions = {}
        @package = PackageGroup.new
        @detect = DetectGroup.new(self)
        @security = SecurityGroup.new
        @log = LogGroup.new
        @manager = ManagerGroup.new(@hooks)
        @controller = ControllerGroup.new
        @database = DatabaseGroup.new(method(:absolute), method(:find))
        @loading = []
      end

      # Evaluate the main file, and with it what it loads.
      def load_main
        evaluate(File.join(@directory, MAIN_FILE))
        @detect.settle
        settle_conditions
        settle_accounts
        @hooks.settle(manager)
        @children = defined_milters
      end

      # What is decided for which child; only while the settings can be read.
      def plan
        Plan.new(defined_milters, @conditions)
      end

      # Evaluate a file, or all that a pattern matches, in order of their names.
      # Relative paths are below the configuration directory, or package.options' prefix.
      def load(path)
        files = find(path)
        if files.empty? && !(pattern?(path) && File.directory?(File.dirname(absolute(path))))
          raise ConfigurationError, "load: there is no #{absolute(path)}"
        end

        files.each { |file| evaluate(file) }
      end

      # The same; nothing happens when there is no such file.
      def load_if_exist(path)
        find(path).each { |file| evaluate(file) }
      end

      # Evaluate defaults/PLATFORM.conf, if there is one; "redhat9" is "redhat", too.
      def load_default
        platform = package.platform
        [platform, platform.sub(/\d+\z/, "")].uniq.each do |name|
          file = absolute("defaults/#{name}.conf")
          return evaluate(file) if File.exist?(file)
        end
      end

      # Define a child, or amend the one of that name.
      def define_milter(name)
        name = check_name("define_milter", name)
        @detect.touch(name)
        Native.define_child(name, Source.here)
        yield ChildSettings.new(name, @conditions) if block_given?
      end

      def remove_milter(name)
        name = check_name("remove_milter", name)
        if Native.remove_child(name)
          journal.remove(name)
          return
        end
        return if @detect.absent?(name)

        raise ConfigurationError,
              "remove_milter: there is no milter \"#{name}\"; #{known(defined_milters)}"
      end

      def defined_milters
        Native.child_names
      end

      # Define an applicable condition, or replace the one of that name.
      def define_applicable_condition(name)
        condition = new_condition(name)
        yield condition if block_given?
        journal.add(nil)
        @conditions[condition.name] = condition
      end

      # For --show-config: what is no item, as it can be loaded again.
      def dump
        groups = [package, security, log, manager, controller, database, detect]
        ConfigurationDump.new(File.join(@directory, MAIN_FILE), journal, groups.flat_map(&:assignments), tunables,
                              @children, @conditions.values).text
      end

      def inspect
        "configuration"
      end

      private

      def new_condition(name)
        Condition.new(check_name("define_applicable_condition", name), Source.here)
      end

      def evaluate(path)
        text = Source.read(path)
        if @loading.include?(path)
          raise ConfigurationError, "load: #{path} is being loaded already"
        end

        journal.add_file(Source.here, path)
        @loading.push(path)
        instance_eval(text, path, 1)
        @loading.pop
        nil
      end

      # What is not below the configuration directory may be below package.options' prefix.
      def absolute(path)
        places(path).find { |place| File.exist?(place) } || places(path).first
      end

      def places(path)
        raise ConfigurationError, "#{path.inspect} is not a path" unless path.respond_to?(:to_str)

        [@directory, package.option("prefix")].compact.map { |place| File.expand_path(path.to_str, place) }
      end

      def pattern?(path)
        path.match?(/[*?]|\[.+\]|\{.*\}/)
      end

      def find(path)
        file = absolute(path)
        return [file] if File.exist?(file)

        pattern?(path) ? places(path).lazy.map { |place| Dir.glob(place).sort }.find(&:any?) || [] : []
      end

      def check_name(function, name)
        return name.to_s if (name.is_a?(String) || name.is_a?(Symbol)) && !name.empty?

        raise ConfigurationError, "#{function}: #{name.inspect} is not a name"
      end

      def known(names)
        names.empty? ? "none is defined" : "known are #{names.join(', ')}"
      end

      def respond_to_missing?(_name, _include_private = false)
        false
      end

      def method_missing(name, *)
        nearest = Spelling.nearest(name, public_methods - Object.instance_methods)
        raise ConfigurationError, "there is no function or object \"#{name}\"#{nearest}"
      end
    end
  end
end
