# frozen_string_literal: true

require_relative "list"
require_relative "workspace"

# What stands between the MTA and the children on the "managed" side.  Each kind answers:
#   start(lists)   start what is needed for them
#   port(list)     where the MTA has to connect for it, nil = to the children as on the direct side
#   trouble        text about what went wrong in the middle itself, nil = nothing
module Middle
  # Nothing: both sides are direct.  Every difference is then one of the test.
  class Direct
    def start(_lists); end
    def port(_list) = nil
    def trouble = nil
  end

  # HAProxy as TCP relay: only for lists of one child.
  class HAProxy
    def initialize(workspace, child_ports)
      @workspace = workspace
      @child_ports = child_ports
      @ports = {}
    end

    def start(lists)
      lists.each { |list| @ports[list.key] = @workspace.port if list.entries.size == 1 }
      config = @workspace.file("haproxy.cfg")
      File.write(config, text(lists))
      daemon = @workspace.start("haproxy", "haproxy", "-db", "-f", config)
      @ports.each_value { |port| Workspace.wait_port(port, daemon) }
    end

    def port(list) = @ports[list.key]

    def trouble = nil

    private

    def text(lists)
      head = "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n"
      head + lists.select { |list| @ports[list.key] }.map do |list|
        "listen #{list.slug}\n bind 127.0.0.1:#{@ports[list.key]}\n" \
          " server a 127.0.0.1:#{@child_ports.fetch(list.entries.first.child)}\n"
      end.join
    end
  end

  # The manager: one process for each list.
  class Manager
    def initialize(workspace, child_ports, binary)
      @workspace = workspace
      @child_ports = child_ports
      @binary = binary
      @ports = {}
      @daemons = {}
      @troubles = []
    end

    def start(lists)
      lists.each { |list| start_one(list) }
      lists.each { |list| Workspace.wait_port(@ports[list.key], @daemons[list.key]) }
    end

    def port(list) = @ports.fetch(list.key)

    # A manager that ended or whose worker crashed.
    def trouble
      @daemons.each_value do |daemon|
        @troubles << "#{daemon.name} ended: #{daemon.status}" if daemon.ended?
        text = daemon.output
        bad = text.each_line.grep(/Sanitizer|runtime error|SIGSEGV|SIGABRT|CRITICAL|assert/i)
        @troubles << "#{daemon.name}: #{bad.first(5).join}" unless bad.empty?
      end
      @troubles.uniq!
      @troubles.empty? ? nil : @troubles.join("\n")
    end

    # The log of the manager that serves the list.
    def log(list) = @daemons[list.key].output

    private

    def start_one(list)
      dir = @workspace.dir("manager_#{list.slug}")
      @ports[list.key] = @workspace.port
      File.write("#{dir}/milter-manager.conf", configuration(list))
      daemon = @workspace.start("manager_#{list.slug}", @binary, "-c", dir)
      daemon.signal = "TERM"
      @daemons[list.key] = daemon
    end

    def configuration(list)
      head = "manager.connection_spec = \"inet:#{@ports[list.key]}@127.0.0.1\"\n" \
             "manager.n_workers = 1\nlog.use_syslog = false\n"
      head + list.entries.each_with_index.map { |entry, i| child(list, entry, i) }.join
    end

    def child(list, entry, index)
      lines = ["define_milter(\"child#{index + 1}\") do |milter|",
               "  milter.connection_spec = \"inet:#{@child_ports.fetch(entry.child)}@127.0.0.1\"",
               "  milter.fallback_status = \"#{List::MANAGER.fetch(entry.fallback)}\""]
      if list.quick?
        lines += %w[connection_timeout writing_timeout reading_timeout end_of_message_timeout].map do |item|
          "  milter.#{item} = #{List::QUICK}.0"
        end
      end
      "#{lines.join("\n")}\nend\n"
    end
  end
end
