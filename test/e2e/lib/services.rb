# frozen_string_literal: true

require "fileutils"
require_relative "workspace"

$LOAD_PATH.unshift(ENV.fetch("MILTER_MANAGER_RUBYLIB") { File.expand_path("../../../binding/ruby/lib", __dir__) })
require "milter/manager/errors"
require "milter/manager/detection"

# Starts services as their packages' units say, without systemd: directories of tmpfiles.d and
# RuntimeDirectory, Environment and EnvironmentFile, User, ExecStartPre and ExecStart; what has
# an init script only, by that.  For a machine that is thrown away.
class Services
  Words = Milter::Manager::Detection::UnitWords
  TMPFILES = Dir.glob("{/etc,/usr/lib}/tmpfiles.d/*.conf").freeze

  def initialize
    @root = Milter::Manager::Detection::Root.new("/")
    @units = Milter::Manager::Detection::Units.new(@root)
  end

  # The "d" lines for directories below /run whose owners are there.
  def make_directories
    lines = TMPFILES.flat_map { |file| File.readlines(file, chomp: true) }.map(&:split)
    lines.each do |type, path, mode, user, group|
      next unless type == "d" && path.start_with?("/run/") && user.to_s.match?(/\A[a-z_]/)

      FileUtils.mkdir_p(path)
      FileUtils.chown(user, group, path)
      File.chmod(mode.oct, path)
    rescue ArgumentError
      next # there is no such user
    end
  end

  def start(name)
    unit = @units.unit("#{name}.service")
    unit.path ? start_unit(name, unit) : run(name, {}, ["/etc/init.d/#{name}", "start"], wait: true)
  end

  private

  def start_unit(name, unit)
    user = unit.text("Service", "User") || "root"
    unit.list("Service", "RuntimeDirectory").flat_map { |setting| setting.value.split }.each do |directory|
      FileUtils.mkdir_p("/run/#{directory}")
      FileUtils.chown(user, nil, "/run/#{directory}")
    end
    variables = variables(unit)
    commands(unit, "ExecStartPre", variables).each { |words| run(name, variables, words, wait: true) }
    forks = unit.text("Service", "Type") == "forking"
    commands(unit, "ExecStart", variables).each { |words| run(name, variables, as(user) + words, wait: forks) }
  end

  def as(user) = user == "root" ? [] : %W[setpriv --reuid #{user} --regid #{user} --init-groups]

  def variables(unit)
    own = unit.list("Service", "Environment").flat_map { |setting| Words.split(setting.value) }
    files = unit.list("Service", "EnvironmentFile").map { |setting| setting.value.delete_prefix("-") }
    lines = files.select { |file| File.exist?(file) }.flat_map { |file| File.readlines(file, chomp: true).grep(/\A\w+=/) }
    own.to_h { |word| word.split("=", 2) }.merge(lines.to_h { |line| line.split("=", 2) }.transform_values { |text| Words.split(text).join(" ") })
  end

  def commands(unit, key, variables)
    unit.list("Service", key).map do |setting|
      words = Words.split(setting.value.sub(/\A[-@:+!]*/, "")).map { |word| word == "\\;" ? ";" : word }
      Words.substitute(words, variables)
    end
  end

  # Output goes to a file: a daemon may keep it open.
  def run(name, variables, words, wait:)
    log = "/tmp/#{name}.out"
    pid = Process.spawn(variables, *words, in: File::NULL, %i[out err] => [log, "a"], pgroup: true)
    return Process.detach(pid) unless wait

    Workspace.wait("end of #{words.join(' ')}") { Process.wait(pid, Process::WNOHANG) }
    raise "#{words.join(' ')} failed: #{File.read(log)}" unless $?.success?
  end
end
