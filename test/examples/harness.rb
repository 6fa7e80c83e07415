# frozen_string_literal: true

# Example milters as processes of a scenario, and milter-send; for tests that print TAP.
require_relative "../daemon/harness"

BUILD = ENV.fetch("top_builddir")
SOURCE = ENV.fetch("top_srcdir")

# One example milter that listens on a unix socket in the box.
class ExampleMilter
  attr_reader :spec

  def initialize(box, program, name, *arguments, environment: {})
    @socket = box.path(name)
    @spec = "unix:#{@socket}"
    @pid = Process.spawn(environment, program, *arguments, @spec)
    wait_until("#{program} to listen") { File.socket?(@socket) }
  rescue Failed
    stop
    raise
  end

  # Ends it in order; it must have removed its socket.
  def stop
    return unless @pid

    Process.kill(:TERM, @pid)
    wait_until("the end of a milter") { Process.wait(@pid, Process::WNOHANG) }
    @pid = nil
    raise Failed, "a milter ended with #{$?.exitstatus.inspect}" unless $?.exitstatus == 0
    raise Failed, "#{@socket} was left behind" if File.exist?(@socket)
  end
end

# Start the milters (name => [program, arguments…]) for the block.
def with_milters(box, milters, environment: {})
  running = {}
  milters.each do |name, (program, *arguments)|
    running[name] = ExampleMilter.new(box, program, name, *arguments, environment: environment)
  end
  yield(*running.values)
ensure
  running.each_value(&:stop)
end

# [what it prints without the mail, the mail, exit status, what it complains about]
def milter_send(box, mail, *arguments, program: "#{BUILD}/examples/milter-send", environment: {})
  File.binwrite(box.path("mail.eml"), mail)
  out, err, status = Open3.capture3(environment, program, *arguments.take_while { |a| a.start_with?("--") },
                                    box.path("mail.eml"), *arguments.drop_while { |a| a.start_with?("--") })
  report, delivered = out.split("\n\n", 2)
  [report.to_s.chomp.gsub("unix:#{box.directory}/", ""), delivered, status.exitstatus, err]
end
