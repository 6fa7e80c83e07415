# frozen_string_literal: true

require "etc"
require "openssl"
require_relative "list"
require_relative "workspace"

# A private Postfix with two listeners for each list of children: one where they are registered
# directly, one where the middle is.
class Postfix
  DAEMONS = "/usr/lib/postfix/sbin"
  SERVICES = <<~END
    cleanup unix n - n - 0 cleanup
    qmgr unix n - n 300 1 qmgr
    rewrite unix - - n - - trivial-rewrite
    bounce unix - - n - 0 bounce
    defer unix - - n - 0 bounce
    trace unix - - n - 0 bounce
    proxymap unix - - n - - proxymap
    pickup unix n - n 60 1 pickup
    smtp unix - - n - - smtp
    error unix - - n - - error
    retry unix - - n - - error
    discard unix - - n - - discard
    anvil unix - - n - 1 anvil
    showq unix n - n - - showq
    tlsmgr unix - - n 1000 1 tlsmgr
    postlog unix-dgram n - n - 1 postlogd
  END

  attr_reader :name

  def self.missing
    return "Postfix is not installed" unless File.executable?("#{DAEMONS}/master")
    return "Postfix needs root" unless Process.uid.zero?

    nil
  end

  # CHILD_PORTS maps "1".."3" and "d" to ports; MIDDLE tells the port of each list.  DIRECTORY: of
  # the workspace; SETTINGS: more lines for main.cf.
  def initialize(workspace, sink_port, child_ports, middle, directory: "postfix", settings: "")
    @name = "postfix"
    @directory = directory
    @settings = settings
    @workspace = workspace
    @sink_port = sink_port
    @child_ports = child_ports
    @middle = middle
    @ports = {}
    @log_at = 0
  end

  # SIDES: which of the two listeners.
  def start(lists, sides: %i[direct managed])
    @dir = @workspace.dir(@directory)
    @etc = @workspace.dir("#{@directory}/etc")
    @queue = @workspace.dir("#{@directory}/queue")
    @workspace.dir("#{@directory}/data", user: "postfix")
    make_certificate
    File.write("#{@etc}/main.cf", main_cf)
    File.write("#{@etc}/master.cf", SERVICES + listeners(lists, sides))
    system("postfix", "-c", @etc, "check", out: File::NULL) or raise "postfix check failed"
    @daemon = @workspace.start(@directory, "#{DAEMONS}/master", "-c", @etc, "-d",
                               env: { "MAIL_CONFIG" => @etc })
    @daemon.signal = "TERM"
    @ports.each_value { |port| Workspace.wait_port(port, @daemon) }
  end

  def port(list, side) = @ports.fetch([list.key, side])

  # Wait until every accepted message has reached its end.  Returns what stayed in the queue:
  # { held: [file bytes...], deferred: [names] }.
  def settle
    Workspace.wait("empty Postfix queue", deadline: 30) do
      Dir.empty?("#{@queue}/incoming") && Dir.empty?("#{@queue}/active")
    end
    held = Dir.children("#{@queue}/hold").sort.map { |id| [id, take_held(id)] }
    deferred = Dir.children("#{@queue}/deferred").sort
    deferred.each { |id| File.unlink("#{@queue}/deferred/#{id}") }
    { held: held.to_h, deferred: deferred }
  end

  # Wait until nothing is in work; what waits for another try stays.  The names of those messages.
  def idle
    Workspace.wait("idle Postfix", deadline: 30) do
      %w[maildrop incoming active].all? { |queue| Dir.empty?("#{@queue}/#{queue}") }
    end
    Dir.children("#{@queue}/deferred").sort
  end

  # Try what waits again, now.
  def flush
    system("postqueue", "-c", @etc, "-f") or raise "postqueue -f failed"
  end

  # Hand in a mail as a local program does.
  def submit(text, *recipients)
    IO.popen({ "MAIL_CONFIG" => @etc }, ["/usr/sbin/sendmail", "-i", "-f", "sender@example.com", *recipients], "wb") do |pipe|
      pipe.write(text.gsub("\r\n", "\n"))
    end
    raise "sendmail failed: #{$?}" unless $?.success?
  end

  # The whole log.
  def log = File.exist?("#{@dir}/maillog") ? File.read("#{@dir}/maillog", mode: "rb") : ""

  # Lines of the log since the last call in which Postfix complains about the port.
  def complaints(port)
    path = "#{@dir}/maillog"
    return [] unless File.exist?(path)

    text = File.open(path, "rb") do |file|
      file.seek(@log_at)
      file.read
    end
    @log_at += text.bytesize
    text.each_line(chomp: true).grep(/(warning|error|fatal|panic):.*:#{port}\b/)
        .map { |line| line.sub(/\A.*?\]: /, "") }
  end

  private

  # Envelope and content of a quarantined message, as text; removes it.
  def take_held(id)
    text = IO.popen(["postcat", "-c", @etc, "-q", id], "rb", err: File::NULL, &:read)
    File.unlink("#{@queue}/hold/#{id}")
    text
  end

  def make_certificate
    key = OpenSSL::PKey::RSA.new(2048)
    name = OpenSSL::X509::Name.parse("/CN=mta.example.net")
    cert = OpenSSL::X509::Certificate.new
    cert.serial = 1
    cert.version = 2
    cert.subject = cert.issuer = name
    cert.public_key = key.public_key
    cert.not_before = Time.now - 60
    cert.not_after = Time.now + 86_400
    cert.sign(key, OpenSSL::Digest.new("SHA256"))
    File.write("#{@etc}/tls.pem", key.to_pem + cert.to_pem, perm: 0o600)
  end

  def listeners(lists, sides)
    lists.flat_map do |list|
      sides.map do |side|
        port = @ports[[list.key, side]] = @workspace.port
        "127.0.0.1:#{port} inet n - n - - smtpd\n" \
          "  -o { smtpd_milters = #{side == :direct ? direct(list) : managed(list)} }\n"
      end
    end.join
  end

  def direct(list)
    list.entries.map do |entry|
      options = ["default_action=#{List::POSTFIX.fetch(entry.fallback)}"]
      if list.quick?
        options += %W[connect_timeout=#{List::QUICK}s command_timeout=#{List::QUICK}s
                      content_timeout=#{List::QUICK}s]
      end
      "{ inet:127.0.0.1:#{@child_ports.fetch(entry.child)}, #{options.join(', ')} }"
    end.join(",\n    ")
  end

  # The manager's own failure would be seen as a complaint and as a different answer.
  def managed(list)
    return direct(list) unless @middle.port(list)

    "{ inet:127.0.0.1:#{@middle.port(list)}, default_action=tempfail }"
  end

  def main_cf
    <<~END
      compatibility_level = 3.6
      config_directory = #{@etc}
      queue_directory = #{@queue}
      data_directory = #{@dir}/data
      command_directory = /usr/sbin
      daemon_directory = #{DAEMONS}
      meta_directory = /etc/postfix
      maillog_file = #{@dir}/maillog
      maillog_file_prefixes = #{@dir}
      hash_queue_names = flush
      inet_interfaces = 127.0.0.1
      inet_protocols = ipv4
      myhostname = mta.example.net
      mydestination =
      alias_maps =
      alias_database =
      mynetworks = 0.0.0.0/0
      local_recipient_maps =
      default_transport = smtp:[127.0.0.1]:#{@sink_port}
      relayhost =
      disable_dns_lookups = yes
      smtp_host_lookup = native
      smtp_tls_security_level = none
      smtpd_tls_security_level = may
      smtpd_tls_chain_files = #{@etc}/tls.pem
      smtpd_authorized_xclient_hosts = 127.0.0.0/8
      smtpd_relay_restrictions = permit_mynetworks, reject
      smtpd_recipient_restrictions =
        check_recipient_access inline:{ { refused@example.net = 550 5.1.1 no such user } },
        permit_mynetworks, reject
      smtpd_error_sleep_time = 0
      smtpd_soft_error_limit = 1000
      smtpd_hard_error_limit = 1000
      smtpd_junk_command_limit = 1000
      smtpd_client_connection_count_limit = 0
      smtpd_forbid_unauth_pipelining = no
      smtpd_forbid_bare_newline = no
      smtpd_peername_lookup = yes
      in_flow_delay = 0
      message_size_limit = 50000000
      max_use = 1000
      bounce_queue_lifetime = 0
      milter_default_action = tempfail
      #{@settings}
    END
  end
end
