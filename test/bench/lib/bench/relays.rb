# frozen_string_literal: true

require 'socket'

module Bench
  # Where the programs are.
  Tools = Struct.new(:source, :build, :manager, :haproxy, keyword_init: true) do
    def program(name)
      File.join(build, 'test/bench', name)
    end
  end

  # An address as the configuration and the tools write it: "inet:PORT@127.0.0.1"
  # or "unix:/path".
  module Address
    module_function

    def create(workshop, transport, name)
      transport == :unix ? "unix:#{workshop.path(name)}" : "inet:#{workshop.port}@127.0.0.1"
    end

    # HAProxy's way to write it.
    def for_haproxy(spec)
      return "unix@#{spec.delete_prefix('unix:')}" if spec.start_with?('unix:')

      "127.0.0.1:#{spec[/\d+/]}"
    end

    def open?(spec)
      if spec.start_with?('unix:')
        UNIXSocket.new(spec.delete_prefix('unix:')).close
      else
        TCPSocket.new('127.0.0.1', spec[/\d+/].to_i).close
      end
      true
    rescue SystemCallError
      false
    end
  end

  # Something the load generator can talk to.  `pids` are the processes whose
  # time and memory count: none for children driven directly.
  Relay = Struct.new(:name, :spec, :pid, keyword_init: true) do
    def pids
      pid ? Proc.tree(pid) : []
    end
  end

  # Children and the relays in front of them, over one transport.
  class Rig
    attr_reader :relays, :transport

    # child_options go to the benchmark's own child; with libmilter the child is
    # the real libmilter's that adds a header.
    def initialize(workshop, tools, transport, child_options: [], n_children: 3, libmilter: false)
      @workshop = workshop
      @tools = tools
      @transport = transport
      @pids = []
      @children = Array.new(n_children) { start_child(child_options, libmilter) }
      @relays = [Relay.new(name: :direct, spec: @children.first)]
    end

    def add_haproxy
      spec = Address.create(@workshop, @transport, 'haproxy')
      config = @workshop.path('haproxy.cfg')
      File.write(config, <<~TEXT)
        global
          nbthread 1
          maxconn 9900
        defaults
          mode tcp
          timeout connect 5s
          timeout client 1h
          timeout server 1h
        listen bench
          bind #{Address.for_haproxy(spec)}
          server child #{Address.for_haproxy(@children.first)}
      TEXT
      add_relay(:haproxy, spec, @tools.haproxy, '-db', '-f', config)
    end

    # The relay of a worker alone, run under the command `prefix`.
    def add_worker(n_children, prefix)
      spec = Address.create(@workshop, @transport, 'worker')
      add_relay(:worker, spec, *prefix, @tools.program('bench-worker'), spec,
                *@children.first(n_children))
    end

    # A manager with the first n children, each with these of the shipped conditions.
    def add_manager(n_children, conditions: [])
      spec = Address.create(@workshop, @transport, 'manager')
      name = "#{conditions.empty? ? 'manager' : 'conditions'}-#{n_children}"
      directory = @workshop.path(name)
      Dir.mkdir(directory, 0o755)
      File.write(File.join(directory, 'milter-manager.conf'), <<~CONF)
        manager.connection_spec = #{spec.inspect}
        manager.n_workers = 1
        #{"load(#{shipped_conditions.inspect})" unless conditions.empty?}
        #{define_children(n_children, conditions)}
      CONF
      add_relay(name.to_sym, spec, @tools.manager, '-c', directory)
    end

    def relay(name)
      @relays.find { |relay| relay.name == name }
    end

    def close
      @pids.reverse_each { |pid, signal| @workshop.stop(pid, signal: signal) }
      @pids.clear
    end

    private

    def shipped_conditions
      File.join(@tools.source, 'conf/applicable-conditions/*.conf')
    end

    def define_children(n_children, conditions)
      @children.first(n_children).each_with_index.map do |child, i|
        "define_milter(\"child-#{i + 1}\") do |m|\n  m.connection_spec = #{child.inspect}\n  " \
          "m.applicable_conditions = #{conditions.inspect}\nend\n"
      end.join
    end

    def start_child(options, libmilter)
      spec = Address.create(@workshop, @transport, 'child')
      pid = if libmilter
              @workshop.start(@tools.program('bench-libmilter-child'), spec)
            else
              @workshop.start(@tools.program('bench-child'), "--listen=#{spec}", *options)
            end
      # libmilter looks at SIGTERM every five seconds only.
      @pids << [pid, libmilter ? :KILL : :TERM]
      @workshop.wait_for(pid, "child at #{spec}") { Address.open?(spec) }
      spec
    end

    def add_relay(name, spec, *command)
      env = { 'MILTER_MANAGER_RUBYLIB' => File.join(@tools.source, 'binding/ruby/lib') }
      pid = @workshop.start(*command, env: env)
      @pids << [pid, :TERM]
      @workshop.wait_for(pid, "#{name} at #{spec}", seconds: 60) { Address.open?(spec) }
      @relays << Relay.new(name: name, spec: spec, pid: pid)
      @relays.last
    end
  end
end
