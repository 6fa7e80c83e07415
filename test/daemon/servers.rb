# frozen_string_literal: true

# Real servers for tests, each on loopback with a directory of its own: Slapd, Postgres, Maria, RedisServer.
#
#   server = Postgres.new          # started; see Server.missing for "is it installed?"
#   server.sql("create table …")
#   server.pause; server.resume    # a server that hangs
#   server.kill; server.restart    # one that dies; the data and the addresses stay
#   server.close
#
# What a test forgets is ended when it ends, and killed when it is killed.
require "etc"
require "fileutils"
require "open3"
require "socket"
require "tmpdir"
require_relative "harness"

# A server process: subclasses say which.
class Server
  START_DEADLINE = 60 # s; initialising a data directory on a busy machine takes a while

  @running = []

  class << self
    attr_reader :running

    # Why it cannot be used here; nil when it can.
    def missing
      programs.find { |program| !program(program) }&.then { |name| "#{name} is not installed" }
    end

    # The path of a program, also one that is not in a user's PATH.
    def program(name)
      [*ENV.fetch("PATH").split(":"), "/usr/sbin", "/sbin", *directories]
        .map { |directory| File.join(directory, name) }.find { |path| File.executable?(path) }
    end

    # Where else its programs may be.
    def directories = []
  end

  attr_reader :directory, :port, :socket, :pid

  def initialize
    @directory = Dir.mktmpdir("mm-server-")
    FileUtils.chmod(0o755, @directory)
    @port = free_port
    @socket = path("socket")
    Server.running << self
    prepare
    start
  end

  def path(name)
    File.join(@directory, name)
  end

  # Start it and wait until it answers.
  def start
    @pid = Process.spawn(*as_user("--pdeathsig", "KILL"), *command, %i[out err] => [path("log"), "a"])
    wait_until("#{self.class}; its log:\n#{log}", START_DEADLINE) do
      if Process.wait(@pid, Process::WNOHANG)
        @pid = nil
        raise Failed, "#{self.class} ended:\n#{log}"
      end

      ready?
    end
    self
  end

  # Let it end in its own way.
  def stop
    return unless @pid

    resume
    Process.kill(stop_signal, @pid)
    wait_until("the end of #{self.class}") { Process.wait(@pid, Process::WNOHANG) }
    @pid = nil
  rescue Failed
    kill
  end

  # End it at once, and all that it has started.
  def kill
    return unless @pid

    pids = signal(:KILL)
    Process.wait(@pid)
    @pid = nil
    wait_until("processes of #{self.class} to end") { (pids & Processes.all.reject { |entry| entry.state == "Z" }.map(&:pid)).empty? }
  end

  def restart
    stop
    start
  end

  # It answers nobody any more, until #resume.
  def pause = signal(:STOP)
  def resume = signal(:CONT)

  def close
    stop
  ensure
    Server.running.delete(self)
    FileUtils.rm_rf(@directory)
  end

  def log
    File.exist?(path("log")) ? File.read(path("log")) : ""
  end

  private

  def stop_signal = :TERM
  def user = nil
  def prepare; end

  def ready?
    accepts?(@port)
  end

  # To the process and what it has started; a server's workers may have sessions of their own.
  def signal(name)
    entries = Processes.all
    pids = [@pid]
    pids.each { |pid| pids.concat(entries.select { |entry| entry.parent == pid }.map(&:pid)) }
    pids.each do |pid|
      Process.kill(name, pid)
    rescue Errno::ESRCH
      next
    end
  end

  # A prefix that becomes the server's user, where we are root and it must not be.
  def as_user(*options)
    return ["setpriv", *options] unless user && Process.uid.zero?

    ["setpriv", "--reuid", user, "--regid", Etc.getpwnam(user).gid.to_s, "--clear-groups", *options]
  end

  # A directory that the server's user owns.
  def own_directory(name)
    Dir.mkdir(path(name), 0o700)
    File.chown(Etc.getpwnam(user).uid, Etc.getpwnam(user).gid, path(name)) if user && Process.uid.zero?
    path(name)
  end

  def run(*command, input: "")
    out, status = Open3.capture2e(*command, stdin_data: input)
    raise Failed, "#{command.join(' ')}:\n#{out}" unless status.success?

    out
  end
end

# OpenLDAP: people below dc=example,dc=net; reads what it is given as LDIF.
class Slapd < Server
  BASE = "dc=example,dc=net"
  ADMIN = "cn=admin,dc=example,dc=net"
  PASSWORD = "ldap secret"
  SCHEMA = "/etc/ldap/schema"

  def self.programs = %w[slapd slapadd]

  # PEOPLE: { "user@example.net" => { "description" => ["clamav"] } }
  def initialize(people = {})
    @people = people
    super()
  end

  def url = "ldap://127.0.0.1:#{@port}"

  private

  def prepare
    Dir.mkdir(path("db"))
    File.write(path("slapd.conf"), <<~CONF)
      #{%w[core cosine inetorgperson].map { |name| "include #{SCHEMA}/#{name}.schema" }.join("\n")}
      modulepath /usr/lib/ldap
      moduleload back_mdb
      pidfile #{path('pid')}
      database mdb
      suffix "#{BASE}"
      rootdn "#{ADMIN}"
      rootpw "#{PASSWORD}"
      directory #{path('db')}
      maxsize 10485760
      index objectClass,mail eq
    CONF
    File.write(path("data.ldif"), <<~LDIF + @people.map { |mail, more| person(mail, more) }.join("\n"))
      dn: #{BASE}
      objectClass: dcObject
      objectClass: organization
      o: example
      dc: example

    LDIF
    run(self.class.program("slapadd"), "-f", path("slapd.conf"), "-l", path("data.ldif"))
  end

  def person(mail, attributes)
    name = mail.tr("@", ".")
    lines = ["dn: uid=#{name},#{BASE}", "objectClass: inetOrgPerson", "uid: #{name}", "cn: #{name}", "sn: #{name}",
             "mail: #{mail}"]
    "#{(lines + attributes.flat_map { |key, values| Array(values).map { |value| "#{key}: #{value}" } }).join("\n")}\n"
  end

  def command
    [self.class.program("slapd"), "-d", "0", "-f", path("slapd.conf"), "-h",
     "#{url} ldapi://#{@socket.gsub('/', '%2F')}"]
  end
end

# PostgreSQL: user "test", who needs no password; TCP, and a socket in #directory/run.
class Postgres < Server
  def self.programs = %w[initdb postgres psql]
  def self.directories = Dir["/usr/lib/postgresql/*/bin"].sort.reverse

  def url = "postgres://test@127.0.0.1:#{@port}/postgres"

  # Where libpq looks for the socket.
  def run_directory = path("run")

  # Statements; what they give, a row a line.
  def sql(text)
    run(self.class.program("psql"), "-h", "127.0.0.1", "-p", @port.to_s, "-U", "test", "-qAtX", "-v",
        "ON_ERROR_STOP=1", "postgres", input: text)
  end

  private

  def stop_signal = :INT # fast: it does not wait for clients
  def user = "postgres"

  def prepare
    own_directory("run")
    run(*as_user, self.class.program("initdb"), "-D", File.join(own_directory("pg"), "data"), "-U", "test",
        "--auth=trust", "-N", "--locale=C", "-E", "UTF8")
  end

  def command
    [self.class.program("postgres"), "-D", path("pg/data"), "-k", run_directory, "-p", @port.to_s,
     "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "dynamic_shared_memory_type=mmap"]
  end

  def ready?
    accepts?(@port) && sql("select 1") == "1\n"
  rescue Failed
    false # it accepts before it can serve
  end
end

# MariaDB: user "test" with PASSWORD, who may do all in the database "test".
class Maria < Server
  PASSWORD = "maria secret"

  def self.programs = %w[mariadb-install-db mariadbd mariadb]

  def url = "mysql2://test@127.0.0.1:#{@port}/test"
  def socket = path("maria/socket")

  def initialize
    super
    sql("create database test; create user test@'127.0.0.1' identified by '#{PASSWORD}'; " \
        "grant all on test.* to test@'127.0.0.1'", "mysql")
  end

  def sql(text, database = "test")
    run("mariadb", "--no-defaults", "-S", socket, "-u", "root", "-N", "-B", database, input: text)
  end

  private

  def user = "mysql"

  def prepare
    own_directory("maria")
    run(*as_user, "mariadb-install-db", "--no-defaults", "--datadir=#{path('maria/data')}", "--skip-test-db",
        "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M")
  end

  def command
    [self.class.program("mariadbd"), "--no-defaults", "--datadir=#{path('maria/data')}", "--socket=#{socket}",
     "--bind-address=127.0.0.1", "--port=#{@port}", "--pid-file=#{path('maria/pid')}", "--skip-name-resolve",
     "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
     "--performance-schema=OFF"]
  end

  def ready?
    File.socket?(socket) && sql("select 1", "mysql") == "1\n"
  rescue Failed
    false
  end
end

# Redis, on a port and a socket; not called Redis, which is the library's name.
class RedisServer < Server
  def self.programs = %w[redis-server redis-cli]

  def url = "redis://127.0.0.1:#{@port}/0"

  def cli(*arguments)
    run("redis-cli", "-p", @port.to_s, *arguments).chomp
  end

  private

  def command
    ["redis-server", "--port", @port.to_s, "--bind", "127.0.0.1", "--unixsocket", @socket, "--unixsocketperm", "777",
     "--dir", @directory, "--save", "", "--appendonly", "no"]
  end

  def ready?
    accepts?(@port) && cli("ping") == "PONG"
  end
end

at_exit { Server.running.dup.each(&:close) }
