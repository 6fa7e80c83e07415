# frozen_string_literal: true

require "etc"

module Milter
  module Manager
    class Diagnosis
      # What a user may do with a unix socket, told from owners and modes without becoming it.
      # (Access control lists are not looked at.)
      class Access
        # What is in the way: the path, its owner and mode as text, what to do about it.
        Obstacle = Struct.new(:path, :text, :advice)

        attr_reader :name, :uid, :groups

        # @param name [String, nil] a user's name or number; nil: who runs us
        # @param group [String, nil] its group, if not its own
        def initialize(name, group = nil)
          user = name ? find(name) : Etc.getpwuid(Process.euid)
          @name = user&.name || name || Process.euid.to_s
          @uid = user&.uid || (name ? nil : Process.euid)
          gid = group ? gid_of(group) : user&.gid
          @groups = ([gid] + memberships).compact.uniq
        end

        def known?
          !@uid.nil?
        end

        def root?
          @uid.zero?
        end

        def group_names
          @groups.map { |gid| Etc.getgrgid(gid).name rescue gid.to_s } # rubocop:disable Style/RescueModifier
        end

        # The first Obstacle to connecting to the socket at PATH; nil: there is none.  Raises
        # SystemCallError where this process itself may not look.
        def obstacle(path)
          directory = directories(path).find { |each| !allowed?(File.stat(each), 1) } unless root?
          return denied(directory, "enter", 1) if directory

          stat = File.stat(path)
          root? || allowed?(stat, 2) ? nil : denied(path, "write to", 2)
        end

        private

        def find(name)
          name.match?(/\A\d+\z/) ? Etc.getpwuid(name.to_i) : Etc.getpwnam(name)
        rescue ArgumentError
          nil
        end

        def gid_of(name)
          name.match?(/\A\d+\z/) ? name.to_i : Etc.getgrnam(name).gid
        rescue ArgumentError
          nil
        end

        def memberships
          found = []
          Etc.group { |group| found << group.gid if group.mem.include?(@name) }
          found
        end

        # "/", "/run", "/run/x" of "/run/x/socket", links resolved.
        def directories(path)
          real = File.realpath(File.dirname(path))
          real.split("/").drop(1).each_with_object(["/"]) { |name, all| all << File.join(all.last, name) }
        end

        def allowed?(stat, bit)
          bits = if stat.uid == @uid then stat.mode >> 6
                 elsif @groups.include?(stat.gid) then stat.mode >> 3
                 else stat.mode
                 end
          (bits & bit).positive?
        end

        def denied(path, verb, bit)
          stat = File.stat(path)
          owner = Etc.getpwuid(stat.uid).name rescue stat.uid.to_s # rubocop:disable Style/RescueModifier
          group = Etc.getgrgid(stat.gid).name rescue stat.gid.to_s # rubocop:disable Style/RescueModifier
          text = format("user %s cannot %s %s (%s:%s %04o)", @name, verb, path, owner, group, stat.mode & 0o7777)
          Obstacle.new(path, text, advice(stat, group, bit, path))
        end

        def advice(stat, group, bit, path)
          if ((stat.mode >> 3) & bit).positive? && group != "root"
            "add it to that group (usermod -a -G #{group} #{@name}) and restart"
          elsif bit == 2
            "make the socket writable for a group of #{@name}: the milter's UMask or socket mode and group " \
              "in its configuration"
          else
            "let a group of #{@name} enter #{path} (chgrp, chmod g+x)"
          end
        end
      end
    end
  end
end
