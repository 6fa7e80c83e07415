# frozen_string_literal: true

require_relative "workspace"

# One process of the scripted milter (milters/scripted.c), which plays any number of scenarios.
class Child
  # The time after which a connection that is still open is reported.
  DEADLINE = 40

  attr_reader :number, :port

  def initialize(workspace, binary, number)
    @workspace = workspace
    @binary = binary
    @number = number
    @port = workspace.port
    @dir = workspace.dir("child#{number}")
    start
  end

  # Set what the next connections do, and forget what the last ones saw.
  def prepare(lines)
    start if @daemon.ended?
    File.write(File.join(@dir, "script"), lines.map { |line| "#{line}\n" }.join, mode: "wb")
    logs.each { |path| File.unlink(path) }
  end

  # What every connection saw, in the order in which they were made, one array of lines each.  Waits
  # until all of them are closed.
  def take
    Workspace.wait("end of the connections of child #{@number}", deadline: DEADLINE) do
      @daemon.ended? || logs.all? { |path| File.read(path, mode: "rb").end_with?("closed\n") }
    end
    logs.map { |path| File.readlines(path, chomp: true, mode: "rb") }
  end

  private

  def start
    @daemon = @workspace.start("child#{@number}", @binary, "inet:#{@port}@127.0.0.1", @dir)
    Workspace.wait_port(@port, @daemon)
  end

  def logs = Dir.glob(File.join(@dir, "log.*")).sort
end
