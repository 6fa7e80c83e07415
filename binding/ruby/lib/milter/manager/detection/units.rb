# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # The unit files of systemd (systemd.unit(5)): where they are, which are switched on.
      class Units
        # In order of precedence.
        DIRECTORIES = %w[
          /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient
          /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system
          /usr/lib/systemd/system /lib/systemd/system
        ].freeze
        KEPT = /\.(?:service|socket)\z/

        def initialize(root)
          @root = root
          @directories = DIRECTORIES.uniq { |directory| root.real(directory) }
        end

        # Whether systemd starts what is below the root.
        def used?
          return true if @root.directory?("/run/systemd/system")
          return @root.real("/sbin/init").include?("systemd") if @root.exist?("/sbin/init")

          @directories.any? { |directory| @root.directory?(directory) }
        end

        # Names of all services and sockets, without templates; aliases count for what they are.
        def names
          @names ||= (files.keys.reject { |name| template?(name) || alias_of(name) } +
                      links.keys.map { |name| alias_of(name) || name }.select { |name| known?(name) }).uniq
        end

        # The text of what makes up the unit NAME, as far as it is there: for a first look.
        def text(name)
          ([paths(name).first || paths(template_of(name)).first].compact + drop_ins([name, *aliases(name)]))
            .map { |path| @root.peek(path) }.join("\n")
        rescue Problem
          ""
        end

        # Whether there is a unit file of that name, or a mask.
        def known?(name)
          files.key?(name) || files.key?(template_of(name))
        end

        # @return [Unit] read with all that is added to it
        def unit(name)
          (@units ||= {})[name] ||= Unit.new(self, @root, name)
        end

        # The paths of NAME, first the one that counts.
        def paths(name)
          files[name] || []
        end

        # The mask of NAME, a path, or nil.
        def mask(name)
          path = paths(name).first || paths(template_of(name)).first
          path if path && @root.void?(path)
        end

        # Other names of a unit, and the links that say so.
        def aliases(name)
          aliased.select { |_, real| real == name }.keys
        end

        # Links of *.wants and *.requires directories, by the name they pull in.
        def links
          @links ||= find_links
        end

        # Files that add to the unit of NAMES, in the order in which they are read.
        def drop_ins(names)
          found = {}
          directories = names.flat_map { |name| drop_in_directories(name) }.uniq & existing_drop_ins
          directories.product(@directories).each do |name, directory|
            next unless @root.entries(directory).include?(name)

            @root.entries("#{directory}/#{name}").grep(/\.conf\z/).each do |file|
              found[file] ||= "#{directory}/#{name}/#{file}"
            end
          end
          found.sort.map(&:last).reject { |path| @root.void?(path) }
        end

        def template?(name)
          name.match?(/@\.\w+\z/)
        end

        # "a@.service" of "a@b.service", else nil.
        def template_of(name)
          name.match?(/@.+\.\w+\z/) ? name.sub(/@.+(\.\w+)\z/, '@\1') : nil
        end

        private

        # Paths by name, by precedence.
        def files
          @files ||= @directories.each_with_object({}) do |directory, found|
            @root.entries(directory).grep(KEPT).each { |name| (found[name] ||= []) << "#{directory}/#{name}" }
          end
        end

        # Names of all directories that add to units.
        def existing_drop_ins
          @existing_drop_ins ||= @directories.flat_map { |directory| @root.entries(directory).grep(/\.d\z/) }.uniq
        end

        # The real names of aliases.
        def aliased
          @aliased ||= files.each_key.to_h { |name| [name, alias_of(name)] }.compact
        end

        # A unit file that is a link to one of another name is another name for that.
        def alias_of(name)
          path = paths(name).first
          return unless path && @root.link(path)

          real = File.basename(@root.real(path))
          real unless real == name || real == template_of(name) || real == "null" || !known?(real)
        end

        def find_links
          @directories.each_with_object({}) do |directory, found|
            @root.entries(directory).grep(/\.(?:wants|requires|upholds)\z/).each do |wanting|
              @root.entries("#{directory}/#{wanting}").grep(KEPT).each do |name|
                found[name] ||= "#{directory}/#{wanting}/#{name}"
              end
            end
          end
        end

        # From the most to the least specific: "a-b@c.service.d", "a-b@.service.d",
        # "a-.service.d", "service.d".
        def drop_in_directories(name)
          base, type = name.match(/\A(.*)\.(\w+)\z/m).captures
          names = [base]
          names << base[/\A[^@]*@/] if template_of(name)
          prefix = base[/\A[^@]*/]
          prefix.scan("-").size.downto(1) { |n| names << "#{prefix.split('-').first(n).join('-')}-" }
          names.map { |each| "#{each}.#{type}.d" } + ["#{type}.d"]
        end
      end
    end
  end
end
