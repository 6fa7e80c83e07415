# frozen_string_literal: true

require "etc"
require_relative "servers"

# A private Postfix with one smtpd listener, whose milter is on MILTER_PORT.  What is accepted is
# thrown away.
class Postfix < Server
  DAEMONS = "/usr/lib/postfix/sbin"
  SERVICES = %w[cleanup:0 qmgr:1 trivial-rewrite:- bounce:0 proxymap:- anvil:1 discard:- tlsmgr:1].freeze

  class << self
    def programs = %w[postfix master]
    def directories = [DAEMONS]

    def missing
      super || ("Postfix needs root" unless Process.uid.zero?)
    end
  end

  def initialize(milter_port, settings = "")
    @milter_port = milter_port
    @settings = settings
    super()
  end

  # Pids of its smtpd processes that serve a client.
  def busy_smtpds
    Processes.all.select { |entry| entry.parent == pid && entry.name == "smtpd" }.select do |entry|
      Dir.children("/proc/#{entry.pid}/fd").any? { |fd| client?(entry.pid, fd) }
    rescue SystemCallError
      false
    end.map(&:pid)
  end

  def log
    File.exist?(path("log")) ? File.read(path("log")) : ""
  end

  private

  # A TCP connection that came to our port, whatever has become of its other end.
  def client?(pid, fd)
    inode = File.readlink("/proc/#{pid}/fd/#{fd}")[/\Asocket:\[(\d+)\]/, 1] or return false
    local = format(":%04X", port)
    File.foreach("/proc/net/tcp").any? do |line|
      fields = line.split
      fields[9] == inode && fields[1].end_with?(local) && fields[3] != "0A"
    end
  rescue SystemCallError
    false
  end

  def prepare
    %w[etc queue data].each { |name| FileUtils.mkdir_p(path(name)) }
    FileUtils.chown("postfix", nil, path("data"))
    File.write(path("etc/main.cf"), <<~END)
      compatibility_level = 3.6
      config_directory = #{path('etc')}
      queue_directory = #{path('queue')}
      data_directory = #{path('data')}
      command_directory = /usr/sbin
      daemon_directory = #{DAEMONS}
      meta_directory = /etc/postfix
      maillog_file = #{path('log')}
      maillog_file_prefixes = #{directory}
      inet_interfaces = 127.0.0.1
      inet_protocols = ipv4
      myhostname = mta.example.net
      mydestination =
      alias_maps =
      alias_database =
      mynetworks = 127.0.0.0/8
      default_transport = discard:
      smtpd_relay_restrictions = permit_mynetworks, reject
      smtpd_peername_lookup = no
      disable_dns_lookups = yes
      smtpd_milters = { inet:127.0.0.1:#{@milter_port}, default_action=tempfail }
      milter_default_action = tempfail
      #{@settings}
    END
    File.write(path("etc/master.cf"), master)
    system("postfix", "-c", path("etc"), "check", out: File::NULL) or raise Failed, "postfix check failed"
  end

  def master
    services = SERVICES.map do |service|
      name, limit = service.split(":")
      is_private = %w[cleanup qmgr].include?(name) ? "n" : "-"
      "#{name == 'trivial-rewrite' ? 'rewrite' : name} unix #{is_private} - n #{name == 'qmgr' ? 300 : '-'} " \
        "#{limit} #{name}\n"
    end
    "127.0.0.1:#{port} inet n - n - - smtpd\n#{services.join}postlog unix-dgram n - n - 1 postlogd\n"
  end

  def command
    ["env", "MAIL_CONFIG=#{path('etc')}", "#{DAEMONS}/master", "-c", path("etc"), "-d"]
  end

  def ready?
    accepts?(port)
  end
end
