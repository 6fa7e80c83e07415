# frozen_string_literal: true

# Runs the real milter-manager in a directory of its own, and prints TAP.
#
#   scenario("name") { |box| box.configure("…"); daemon = box.start; … ; check("what") { … } }
#
# A scenario that leaves a process behind fails.  Waiting has deadlines, never fixed times.
require "etc"
require "fileutils"
require "open3"
require "socket"
require "tmpdir"

DEADLINE = Float(ENV.fetch("TEST_DEADLINE", 20)) # seconds until something awaited has failed
PROGRAM = ENV.fetch("MILTER_MANAGER")
ENV["LC_ALL"] = "C"
# Of ASan, which does not know the stacks of fibers: an error was raised in one.
FIBER_NOTE = /^==\d+==WARNING: ASan is ignoring requested __asan_handle_no_return: .*\n(?:False positive .*\n|For details .*\n)*/n

class Failed < StandardError; end

# Call the block until it is true; its value.
def wait_until(what, deadline = DEADLINE)
  end_at = Process.clock_gettime(Process::CLOCK_MONOTONIC) + deadline
  loop do
    value = yield
    return value if value
    raise Failed, "waited in vain: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > end_at

    sleep 0.01
  end
end

# Not one that the kernel may meanwhile give to somebody's connection, where there are others.
def free_port
  100.times do
    port = rand(5000...10_000)
    TCPServer.new("127.0.0.1", port).close
    return port
  rescue SystemCallError
    next
  end
  raise Failed, "no port is free"
end

def accepts?(port)
  TCPSocket.new("127.0.0.1", port).close
  true
rescue SystemCallError
  false
end

# A process and what is below it, from /proc.
module Processes
  Entry = Struct.new(:pid, :parent, :name, :state)

  module_function

  def all
    Dir.children("/proc").grep(/\A\d+\z/).filter_map do |pid|
      text = File.binread("/proc/#{pid}/stat")
      match = text.match(/\A\d+ \((.*)\) (\S) (\d+)/m)
      Entry.new(pid.to_i, match[3].to_i, match[1], match[2])
    rescue SystemCallError
      nil
    end
  end

  # Those that live and were started with DIRECTORY on their command line.
  def of(directory)
    all.select do |entry|
      entry.state != "Z" && File.binread("/proc/#{entry.pid}/cmdline").split("\0").include?(directory.b)
    rescue SystemCallError
      false
    end
  end
end

# One running manager.
class Daemon
  attr_reader :pid, :output_path

  # WRAPPER: a command that ends in exec'ing what follows it.
  def initialize(box, *arguments, wrapper: [])
    @box = box
    @output_path = File.join(box.directory, "output")
    @pid = Process.spawn(*wrapper, PROGRAM, "-c", box.directory, *arguments,
                         %i[out err] => [@output_path, "w"])
  end

  def output
    File.read(@output_path)
  end

  def wait_for(pattern, count = 1)
    wait_until("#{pattern.inspect} in:\n#{output}") { output.scan(pattern).size >= count }
  rescue Failed
    raise Failed, "#{pattern.inspect} did not come; output:\n#{output}"
  end

  def started
    wait_for(/ notice: started /)
    self
  end

  def kill(signal)
    Process.kill(signal, @pid)
  end

  # Its exit status; nil: killed by a signal.
  def wait
    wait_until("the end of the manager; output:\n#{output}") { Process.wait(@pid, Process::WNOHANG) }
    $?.exitstatus
  end

  def stop
    kill(:TERM)
    wait
  end

  def workers
    @box.processes.select { |entry| entry.name.start_with?("mm-worker") }
  end

  def generations
    @box.processes.select { |entry| entry.name == "mm-generation" }
  end
end

# The directory of one scenario.
class Box
  attr_reader :directory, :port

  def initialize
    @directory = Dir.mktmpdir("milter-manager-test-")
    File.chmod(0o755, @directory)
    @port = free_port
  end

  def path(name)
    File.join(@directory, name)
  end

  # Write a file of the configuration; LISTEN puts where to listen before it.
  def write(name, text)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.write(path(name), text)
    File.chmod(0o644, path(name))
  end

  def configure(text = "", listen: "inet:#{@port}@127.0.0.1", workers: 2)
    write("milter-manager.conf", <<~CONF + text)
      manager.connection_spec = #{listen.inspect}; log.use_syslog = false; manager.n_workers = #{workers}
    CONF
  end

  # A main file of exactly this text.
  def main(text)
    write("milter-manager.conf", text)
  end

  def start(*arguments, **options)
    Daemon.new(self, *arguments, **options)
  end

  # Run to the end: [standard output, standard error, exit status].
  def run(*arguments)
    out, err, status = Open3.capture3(PROGRAM, "-c", @directory, *arguments)
    err = err.b.gsub(FIBER_NOTE, "").force_encoding(err.encoding) if err.include?("ASan is ignoring")
    [out, err, status.exitstatus]
  end

  # What --check says about a main file of this text, without "DIRECTORY/milter-manager.conf:".
  def complaint(text)
    main(text)
    _, err, status = run("--check")
    raise Failed, "--check exits with #{status} and says #{err}" unless status == 1

    err.chomp.sub("#{path('milter-manager.conf')}:", "")
  end

  def processes
    Processes.of(@directory)
  end

  def finish
    output = File.exist?(path("output")) ? File.read(path("output")) : ""
    left = processes
    left.each { |entry| Process.kill(:KILL, entry.pid) rescue nil }
    FileUtils.rm_rf(@directory)
    raise Failed, output if output.match?(/ERROR: \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:/)
    raise Failed, "left behind: #{left.map(&:name).join(', ')}" unless left.empty?
  end
end

$number = 0
$failures = 0

def report(good, name)
  $number += 1
  $failures += 1 unless good
  puts "#{good ? 'ok' : 'not ok'} #{$number} - #{name}"
  $stdout.flush
end

def check(what)
  raise Failed, what unless yield
end

def same(expected, actual, what = "value")
  return if expected == actual

  raise Failed, "#{what}\nexpected: #{expected.inspect}\n     got: #{actual.inspect}"
end

def scenario(name)
  box = Box.new
  begin
    yield box
  ensure
    # First the manager's own way out, so that the check for leftovers is fair.
    failed = $!
    box.processes.each { |entry| Process.kill(:KILL, entry.pid) rescue nil } if failed
    box.finish
  end
  report(true, name)
rescue StandardError => error
  report(false, name)
  error.full_message(highlight: false).each_line { |line| puts "# #{line}" }
end

def skip(name, why)
  $number += 1
  puts "ok #{$number} - #{name} # SKIP #{why}"
end

at_exit do
  puts "1..#{$number}"
  exit!(1) if $failures.positive? && ENV["TAP_EXIT"]
  $stdout.flush
end
