# frozen_string_literal: true

require 'fileutils'
require 'tmpdir'

module Bench
  # A condition that ends the benchmark with one clear line.
  class Failure < StandardError
  end

  # Reads what the kernel tells about processes.
  module Proc
    TICKS = Etc.sysconf(Etc::SC_CLK_TCK)

    module_function

    # Ids of pid's descendants and pid itself, parents first.
    def tree(pid)
      children = Dir.glob("/proc/#{pid}/task/*/children").flat_map do |path|
        File.read(path).split.map(&:to_i)
      rescue SystemCallError
        []
      end
      [pid] + children.flat_map { |child| tree(child) }
    end

    # The tree's processes that have no children: a manager's workers.
    def leaves(pid)
      tree(pid).select { |member| tree(member).size == 1 }
    end

    # User and system time that the processes have used so far, in milliseconds.
    def processor_ms(pids)
      pids.sum do |pid|
        fields = File.read("/proc/#{pid}/stat").rpartition(')').last.split
        (fields[11].to_i + fields[12].to_i) * 1000.0 / TICKS
      end
    end

    # Resident memory of the processes in bytes.  smaps_rollup counts pages; the
    # figure in status may lag behind.
    def resident_bytes(pids)
      pids.sum { |pid| File.read("/proc/#{pid}/smaps_rollup")[/^Rss:\s+(\d+)/, 1].to_i * 1024 }
    end

    # The soft limit of open descriptors.
    def descriptor_limit(pid)
      File.read("/proc/#{pid}/limits")[/^Max open files\s+(\d+)/, 1].to_i
    end
  end

  # Everything the benchmark starts and writes, and its end: whatever happens,
  # no process and no file stays behind.
  class Workshop
    attr_reader :directory

    def self.open
      workshop = new
      begin
        yield workshop
      ensure
        workshop.close
      end
    end

    def initialize
      @directory = Dir.mktmpdir('milter-bench-')
      @running = {}
      @n_names = 0
    end

    # A path inside the private directory, unused so far.
    def path(name)
      File.join(@directory, "#{@n_names += 1}-#{name}")
    end

    # A TCP port nobody listens at, below those the kernel gives to outgoing
    # connections.
    def port
      200.times do
        number = rand(20_000..31_000)
        next if (@ports ||= []).include?(number)

        begin
          TCPServer.new('127.0.0.1', number).close
        rescue Errno::EADDRINUSE
          next
        end
        @ports << number
        return number
      end
      raise Failure, 'no free TCP port between 20000 and 31000'
    end

    # Start a program in a process group of its own, its output in a file.
    # Returns its id.
    def start(*command, env: {})
      log = path("#{File.basename(command.first)}.log")
      pid = Process.spawn(env, *command, pgroup: true, in: File::NULL, %i[out err] => log)
      @running[pid] = log
      pid
    end

    # What the program has written.
    def log(pid)
      File.read(@running.fetch(pid))
    end

    # Wait until the block is true; fail if the program ends before or the time
    # is up.
    def wait_for(pid, what, seconds: 20)
      deadline = now + seconds
      until yield
        if Process.waitpid(pid, Process::WNOHANG)
          text = log(pid)
          send_signal(:KILL, -pid)
          @running.delete(pid)
          raise Failure, "#{what} ended at its start: #{text.strip}"
        end
        raise Failure, "#{what} is not ready after #{seconds} s: #{log(pid)}" if now > deadline

        sleep 0.01
      end
    end

    # End a program and all that it started, by force if it takes too long.
    # Returns what it wrote.
    def stop(pid, signal: :TERM, seconds: 3)
      return unless @running.key?(pid)

      family = Proc.tree(pid)
      send_signal(signal, pid)
      deadline = now + seconds
      sleep 0.005 until (ended = reaped?(pid)) || now > deadline
      send_signal(:KILL, -pid)
      (family - [pid]).each { |member| send_signal(:KILL, member) }
      Process.waitpid(pid) unless ended
      text = log(pid)
      @running.delete(pid)
      text
    end

    def close
      @running.keys.each { |pid| stop(pid, signal: :KILL) }
      FileUtils.rm_rf(@directory)
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def reaped?(pid)
      !Process.waitpid(pid, Process::WNOHANG).nil?
    rescue Errno::ECHILD
      true
    end

    def send_signal(signal, pid)
      Process.kill(signal, pid)
    rescue Errno::ESRCH
      nil
    end
  end
end
