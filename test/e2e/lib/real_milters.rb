# frozen_string_literal: true

require "openssl"
require_relative "workspace"

# Real milters with the servers behind them, each on a TCP port of its own: OpenDKIM (signing and
# verifying), spamass-milter with spamd, clamav-milter with clamd, rspamd, amavisd-milter with amavisd.
# All of them judge from local rules, nothing asks the network.
class RealMilters
  PROGRAMS = { "opendkim" => "opendkim", "spamass-milter" => "spamass-milter", "spamd" => "spamd",
               "clamav-milter" => "clamav-milter", "clamd" => "clamav-daemon", "rspamd" => "rspamd",
               "amavisd-milter" => "amavisd-milter", "amavisd" => "amavisd-new" }.freeze
  NAMES = %w[sign verify spam virus amavis rspamd].freeze
  EICAR = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

  # name => port
  attr_reader :ports

  # The packages that are not there.
  def self.missing
    PROGRAMS.reject { |program, _| %w[/usr/sbin /usr/bin].any? { |dir| File.executable?("#{dir}/#{program}") } }
            .values.uniq
  end

  def initialize(workspace)
    @workspace = workspace
    @ports = NAMES.to_h { |name| [name, workspace.port] }
  end

  def start
    opendkim
    spamassassin
    clamav
    rspamd
    amavis
    @waiting.each { |port, daemon| Workspace.wait_port(port, daemon) }
  end

  private

  def run(name, *command, port: nil, signal: "KILL")
    daemon = @workspace.start(name, *command)
    daemon.signal = signal
    (@waiting ||= []) << [@ports.fetch(port), daemon] if port
    daemon
  end

  def as(user) = %W[setpriv --reuid #{user} --regid #{user} --clear-groups]

  def write(path, *lines)
    File.write(path, lines.map { |line| "#{line}\n" }.join)
    path
  end

  def opendkim
    dir = @workspace.dir("dkim", user: "opendkim")
    key = OpenSSL::PKey::RSA.new(2048)
    File.write("#{dir}/key", key.to_pem, perm: 0o600)
    FileUtils.chown("opendkim", nil, "#{dir}/key")
    public_key = [key.public_to_der].pack("m0")
    write("#{dir}/keys.txt", "mail._domainkey.example.com v=DKIM1; k=rsa; p=#{public_key}")
    write("#{dir}/keytable", "k1 example.com:mail:#{dir}/key")
    write("#{dir}/signingtable", "*@example.com k1")
    write("#{dir}/sign.conf", "Syslog no", "Background no", "Mode s",
          "Socket inet:#{@ports['sign']}@127.0.0.1", "UserID opendkim", "InternalHosts 127.0.0.1",
          "KeyTable #{dir}/keytable", "SigningTable refile:#{dir}/signingtable", "RequireSafeKeys no")
    write("#{dir}/verify.conf", "Syslog no", "Background no", "Mode v",
          "Socket inet:#{@ports['verify']}@127.0.0.1", "UserID opendkim", "InternalHosts 192.0.2.99",
          "AuthservID mta.example.net", "AlwaysAddARHeader yes", "TestPublicKeys #{dir}/keys.txt")
    run("opendkim-sign", "opendkim", "-x", "#{dir}/sign.conf", port: "sign")
    run("opendkim-verify", "opendkim", "-x", "#{dir}/verify.conf", port: "verify")
  end

  def spamassassin
    dir = @workspace.dir("sa")
    site = @workspace.dir("sa/site")
    rules = @workspace.dir("sa/rules")
    write("#{site}/init.pre", "loadplugin Mail::SpamAssassin::Plugin::Check")
    write("#{rules}/10.cf", "required_score 5", "report_safe 0", "util_rb_tld com net org",
          'add_header all  Status "_YESNO_, score=_SCORE_ required=_REQD_"',
          "add_header all  Level _STARS(*)_", 'header TEST_SPAM Subject =~ /\bspamtest\b/',
          "score  TEST_SPAM 20")
    daemon = run("spamd", "spamd", "-L", "-x", "--socketpath=#{dir}/spamd.sock", "--socketmode=0666",
                 "--siteconfigpath=#{site}", "--configpath=#{rules}", "-u", "debian-spamd",
                 "--max-children=2", "--min-children=1", "--min-spare=1", "--max-spare=1",
                 "--syslog=#{dir}/spamd.log", signal: "TERM")
    Workspace.wait_unix("#{dir}/spamd.sock", daemon)
    run("spamass-milter", *as("spamass-milter"), "spamass-milter", "-p",
        "inet:#{@ports['spam']}@127.0.0.1", "-u", "nobody", "-r", "15", "--", "-U",
        "#{dir}/spamd.sock", port: "spam")
  end

  def clamav
    dir = @workspace.dir("clam", user: "clamav")
    %w[clam/db clam/tmp].each { |name| @workspace.dir(name, user: "clamav") }
    write("#{dir}/db/test.ndb", "Eicar-Test:0:*:#{EICAR.unpack1('H*')}")
    write("#{dir}/clamd.conf", "LocalSocket #{dir}/clamd.sock", "LocalSocketMode 666",
          "FixStaleSocket yes", "DatabaseDirectory #{dir}/db", "TemporaryDirectory #{dir}/tmp",
          "LogFile #{dir}/clamd.log", "Foreground yes", "User clamav", "Bytecode no", "MaxThreads 2")
    write("#{dir}/milter.conf", "MilterSocket inet:#{@ports['virus']}@127.0.0.1",
          "ClamdSocket unix:#{dir}/clamd.sock", "User clamav", "Foreground yes", "OnClean Accept",
          "OnInfected Reject", "RejectMsg found %v", "OnFail Defer", "AddHeader Replace",
          "TemporaryDirectory #{dir}/tmp", "LogFile #{dir}/milter.log", "LogInfected Full")
    clamd = run("clamd", "clamd", "-c", "#{dir}/clamd.conf")
    Workspace.wait_unix("#{dir}/clamd.sock", clamd)
    run("clamav-milter", "clamav-milter", "-c", "#{dir}/milter.conf", port: "virus")
  end

  def rspamd
    dir = @workspace.dir("rspamd", user: "_rspamd")
    %w[run db log].each { |name| @workspace.dir("rspamd/#{name}", user: "_rspamd") }
    write("#{dir}/tld", "com", "net", "org")
    write("#{dir}/test.lua", "rspamd_config.TEST_SPAM = { score = 20, callback = function(task)",
          '  return (task:get_subject() or ""):find("ham or spam") ~= nil end }')
    File.write("#{dir}/rspamd.conf", rspamd_conf(dir))
    run("rspamd", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", "#{dir}/rspamd.conf",
        port: "rspamd", signal: "TERM")
  end

  def rspamd_conf(dir)
    <<~END
      lua = "#{dir}/test.lua";
      options {
        filters = ""; local_addrs = []; allow_raw_input = true; explicit_modules = ["milter_headers"];
        dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 0; }
        url_tld = "#{dir}/tld"; tempdir = "#{dir}/db"; hs_cache_dir = "#{dir}/db";
        cache_file = "#{dir}/db/symbols"; dynamic_conf = "#{dir}/db/dynamic";
        history_file = "#{dir}/db/history"; pidfile = "#{dir}/run/pid";
        control_socket = "#{dir}/run/control.sock mode=0600";
      }
      logging { type = "file"; filename = "#{dir}/log/rspamd.log"; level = "info"; }
      actions { reject = 15; add_header = 6; }
      modules { path = "/usr/share/rspamd/plugins/milter_headers.lua"; }
      milter_headers { use = ["x-spamd-bar"]; skip_local = false; skip_authenticated = false; }
      worker "rspamd_proxy" {
        bind_socket = "127.0.0.1:#{@ports['rspamd']}";
        milter = yes; timeout = 20s; count = 1;
        upstream "local" { default = yes; self_scan = yes; }
        spam_header = "X-Spam"; reject_message = "rspamd says no";
      }
    END
  end

  def amavis
    dir = @workspace.dir("amavis")
    %w[run home tmp db].each { |name| @workspace.dir("amavis/#{name}", user: "amavis", mode: 0o750) }
    File.chmod(0o755, "#{dir}/run")
    FileUtils.chown("amavis", "amavis", %w[run home tmp db].map { |name| "#{dir}/#{name}" })
    File.write("#{dir}/amavisd.conf", amavisd_conf(dir))
    daemon = run("amavisd", "amavisd", "-c", "#{dir}/amavisd.conf", "foreground", signal: "TERM")
    Workspace.wait_unix("#{dir}/run/amavisd.sock", daemon)
    run("amavisd-milter", *as("amavis"), "amavisd-milter", "-f", "-s",
        "inet:#{@ports['amavis']}@127.0.0.1", "-S", "#{dir}/run/amavisd.sock", "-w", "#{dir}/tmp",
        port: "amavis")
  end

  def amavisd_conf(dir)
    <<~END
      use strict;
      $daemon_user = 'amavis'; $daemon_group = 'amavis'; $max_servers = 2; $MYHOME = '#{dir}/home';
      $TEMPBASE = '#{dir}/tmp'; $ENV{TMPDIR} = $TEMPBASE; $db_home = '#{dir}/db';
      $pid_file = '#{dir}/run/amavisd.pid'; $lock_file = '#{dir}/run/amavisd.lock';
      $logfile = '#{dir}/run/log'; $enable_db = 0; $enable_zmq = 0; $do_syslog = 0; $log_level = 1;
      $myhostname = 'mta.example.net'; $mydomain = 'example.net'; @local_domains_maps = (1);
      $unix_socketname = '#{dir}/run/amavisd.sock'; $unix_socket_mode = 0666; $inet_socket_port = undef;
      $interface_policy{'SOCK'} = 'AM.PDP-SOCK';
      $policy_bank{'AM.PDP-SOCK'} = { protocol => 'AM.PDP', auth_required_release => 0 };
      $enable_dkim_verification = 0; @bypass_spam_checks_maps = (1);
      @av_scanners = (); @av_scanners_backup = ();
      $final_banned_destiny = D_REJECT; $banned_filename_re = new_RE(qr'.\\.exe$'i);
      $QUARANTINEDIR = undef; $banned_quarantine_to = undef;
      $X_HEADER_TAG = 'X-Amavis'; $X_HEADER_LINE = 'seen';
      1;
    END
  end
end
