# frozen_string_literal: true

require_relative "list"
require_relative "sendmail_files"
require_relative "workspace"

# A private Sendmail per list of children, with two listeners: one where the children are registered
# directly, one where the middle is.
class Sendmail
  QUICK = List::QUICK

  attr_reader :name

  def self.missing
    return "Sendmail needs root" unless Process.uid.zero?
    return "m4 is not installed" unless system("m4", "--version", out: File::NULL)
    return "the Sendmail packages cannot be downloaded" unless SendmailFiles.root

    nil
  end

  def initialize(workspace, sink_port, child_ports, middle)
    @name = "sendmail"
    @workspace = workspace
    @sink_port = sink_port
    @child_ports = child_ports
    @middle = middle
    @root = SendmailFiles.root
    @ports = {}
    @dirs = {}
    @logs = {}
  end

  def start(lists)
    lists.select(&:sendmail?).map { |list| start_one(list) }.each do |list, daemon|
      %i[direct managed].each { |side| Workspace.wait_port(port(list, side), daemon) }
    end
  end

  def port(list, side) = @ports.fetch([list.key, side])

  # Delivery is done when the client has its reply, so only quarantined messages are left.
  def settle
    held = @dirs.each_value.flat_map do |dir|
      Dir.glob("#{dir}/queue/hf*").map { |path| [File.basename(path)[2..], take_held(path)] }
    end
    deferred = @dirs.each_value.flat_map { |dir| Dir.glob("#{dir}/queue/qf*") }
    deferred.each { |path| File.unlink(path) }
    { held: held.to_h, deferred: deferred.map { |path| File.basename(path)[2..] } }
  end

  # What Sendmail logs goes to syslog and cannot be read everywhere.
  def complaints(_port) = []

  private

  def take_held(path)
    data = path.sub(%r{/hf([^/]*)\z}, '/df\1')
    text = File.binread(path) + (File.exist?(data) ? File.binread(data) : "")
    [path, data].each { |file| File.unlink(file) if File.exist?(file) }
    text
  end

  def start_one(list)
    dir = @dirs[list.key] = @workspace.dir("sendmail_#{list.slug}")
    @workspace.dir("sendmail_#{list.slug}/queue", mode: 0o700)
    File.write("#{dir}/switch", "hosts files\naliases files\npasswd files\n")
    File.write("#{dir}/hosts", "127.0.0.1 localhost mta.example.net\n")
    File.write("#{dir}/cw", "mta.example.net\n")
    File.write("#{dir}/help", "")
    %i[direct managed].each { |side| @ports[[list.key, side]] = @workspace.port }
    File.write("#{dir}/s.mc", mc(dir, list))
    system("m4", "#{dir}/s.mc", out: "#{dir}/s.cf", err: "#{dir}/m4.log") or
      raise "m4: #{File.read("#{dir}/m4.log")}"
    daemon = @workspace.start("sendmail_#{list.slug}", "unshare", "--uts", "sh", "-c",
                              'hostname mta.example.net && exec "$@"', "sh", "#{@root}/sendmail",
                              "-C", "#{dir}/s.cf", "-bD",
                              env: { "LD_LIBRARY_PATH" => "#{@root}/lib" })
    daemon.signal = "TERM"
    [list, daemon]
  end

  def mc(dir, list)
    <<~END
      divert(-1)dnl
      define(`_CF_DIR_', `#{@root}/root/usr/share/sendmail/cf/')dnl
      include(`#{@root}/root/usr/share/sendmail/cf/m4/cf.m4')dnl
      OSTYPE(`linux')dnl
      define(`confDOMAIN_NAME', `mta.example.net')dnl
      define(`confCW_FILE', `-o #{dir}/cw')dnl
      define(`ALIAS_FILE', `')dnl
      define(`QUEUE_DIR', `#{dir}/queue')dnl
      define(`STATUS_FILE', `#{dir}/statistics')dnl
      define(`HELP_FILE', `#{dir}/help')dnl
      define(`confPID_FILE', `#{dir}/pid')dnl
      define(`confSERVICE_SWITCH_FILE', `#{dir}/switch')dnl
      define(`confHOSTS_FILE', `#{dir}/hosts')dnl
      define(`confDELIVERY_MODE', `i')dnl
      define(`confTO_IDENT', `0')dnl
      define(`confREFUSE_LA', `10000')dnl
      define(`confQUEUE_LA', `10000')dnl
      define(`confDELAY_LA', `0')dnl
      define(`confCON_EXPENSIVE', `False')dnl
      define(`confDONT_PROBE_INTERFACES', `True')dnl
      define(`SMART_HOST', `relay:[127.0.0.1]')dnl
      define(`RELAY_MAILER_ARGS', `TCP $h #{@sink_port}')dnl
      FEATURE(`promiscuous_relay')dnl
      FEATURE(`accept_unresolvable_domains')dnl
      FEATURE(`nocanonify')dnl
      FEATURE(`no_default_msa')dnl
      #{filters(list)}
      #{listener(list, :direct, direct_names(list))}
      #{listener(list, :managed, managed?(list) ? 'middle' : direct_names(list))}
      MAILER(`smtp')dnl
      LOCAL_RULE_0
      R refused < @ example.net . > $*\t$#error $@ 5.1.1 $: "550 no such user"
    END
  end

  def managed?(list) = !@middle.port(list).nil?

  def direct_names(list) = list.entries.each_index.map { |i| "child#{i}" }.join(";")

  def listener(list, side, names)
    "DAEMON_OPTIONS(`Port=#{port(list, side)}, Addr=127.0.0.1, Name=MTA, " \
      "InputMailFilters=#{names}')dnl"
  end

  def filters(list)
    lines = list.entries.each_with_index.map do |entry, i|
      times = list.quick? ? "T=C:#{QUICK}s;S:#{QUICK}s;R:#{QUICK}s;E:#{QUICK * 2}s" : nil
      words = ["S=inet:#{@child_ports.fetch(entry.child)}@127.0.0.1",
               List::SENDMAIL.fetch(entry.fallback), times].compact
      "MAIL_FILTER(`child#{i}', `#{words.join(', ')}')dnl"
    end
    return lines.join("\n") unless managed?(list)

    (lines << "MAIL_FILTER(`middle', `S=inet:#{@middle.port(list)}@127.0.0.1, F=T')dnl").join("\n")
  end
end
