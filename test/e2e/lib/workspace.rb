# frozen_string_literal: true

require "fileutils"
require "socket"
require "tmpdir"

# A private directory, free ports and the processes of one test run.  Everything is gone when
# `close` returns: processes first, then the directory.
class Workspace
  # Below the range that the kernel gives to outgoing connections.
  PORTS = (12_000..30_000).freeze
  DEADLINE = 20

  class TimedOut < StandardError; end

  attr_reader :path

  def initialize
    @path = Dir.mktmpdir("mm-e2e-")
    File.chmod(0o755, @path)
    @daemons = []
    @ports = {}
    @owner = Process.pid
    at_exit { close if Process.pid == @owner }
  end

  # A new directory below the workspace.
  def dir(name, mode: 0o755, user: nil)
    full = File.join(@path, name)
    FileUtils.mkdir_p(full)
    FileUtils.chown(user, nil, full) if user
    File.chmod(mode, full)
    full
  end

  def file(name) = File.join(@path, name)

  # A TCP port that nothing uses and that is handed out once.
  def port
    loop do
      number = rand(PORTS)
      next if @ports[number]

      begin
        TCPServer.new("127.0.0.1", number).close
      rescue Errno::EADDRINUSE
        next
      end
      @ports[number] = true
      return number
    end
  end

  # Start a program in a process group of its own; its output goes to LOG.
  def start(name, *command, env: {}, log: file("#{name}.out"), **options)
    pid = Process.spawn(env, *command, in: File::NULL, out: [log, "a"], err: [:child, :out],
                                       pgroup: true, **options)
    daemon = Daemon.new(name, pid, log)
    @daemons << daemon
    daemon
  end

  def stop(daemon, signal = "KILL")
    @daemons.delete(daemon)
    daemon.stop(signal)
  end

  def close
    return unless @path

    @daemons.reverse_each { |daemon| daemon.stop(daemon.signal) }
    @daemons.clear
    FileUtils.rm_rf(@path) unless ENV["E2E_KEEP"]
    warn "# kept: #{@path}" if ENV["E2E_KEEP"]
    @path = nil
  end

  # Wait until the block is true; it is asked again after a short pause.
  def self.wait(what, deadline: DEADLINE, pause: 0.002)
    limit = clock + deadline
    loop do
      value = yield
      return value if value
      raise TimedOut, "no #{what} after #{deadline} s" if clock > limit

      sleep pause
      pause = [pause * 1.3, 0.02].min
    end
  end

  def self.clock = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  # Wait until PORT listens, read from the kernel: no connection is made.
  def self.wait_port(port, daemon = nil)
    row = format(":%04X 00000000:0000 0A", port)
    wait("listener on port #{port} (#{daemon&.name})", pause: 0.005) do
      raise "#{daemon.name} ended: #{daemon.output}" if daemon&.ended?

      File.read("/proc/net/tcp").include?(row)
    end
  end

  # Wait until a unix socket PATH listens.
  def self.wait_unix(path, daemon = nil)
    wait("listener on #{path} (#{daemon&.name})", pause: 0.005) do
      raise "#{daemon.name} ended: #{daemon.output}" if daemon&.ended?

      File.foreach("/proc/net/unix").any? { |line| line.end_with?(" #{path}\n") }
    end
  end

  # A process that the workspace started.
  class Daemon
    attr_reader :name, :pid, :log
    attr_accessor :signal

    def initialize(name, pid, log)
      @name = name
      @pid = pid
      @log = log
      @signal = "KILL"
    end

    def ended?
      return true if @status

      _, @status = Process.wait2(@pid, Process::WNOHANG)
      !@status.nil?
    end

    # Why it ended, or nil.
    def status = ended? ? @status : nil

    def output = File.exist?(@log) ? File.read(@log, mode: "rb") : ""

    # End the process group; a group that does not obey is killed.
    def stop(signal)
      unless ended?
        Process.kill(signal, -@pid)
        begin
          Workspace.wait("end of #{@name}", deadline: 5, pause: 0.005) { ended? }
        rescue TimedOut
          warn "# #{@name} did not end after SIG#{signal}"
        end
      end
      Process.kill("KILL", -@pid)
      Process.wait(@pid) unless ended?
    rescue Errno::ESRCH, Errno::ECHILD
      nil
    end
  end
end
