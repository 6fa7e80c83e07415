# frozen_string_literal: true

# Tests of the Ruby part without the daemon: a stand-in for Milter::Manager::Native, contexts
# made by hand, TAP.
#
#   scenario("name") { same(expected, actual); check("what") { … } }
require "fileutils"
require "ipaddr"
require "tmpdir"

$LOAD_PATH.unshift(ENV.fetch("MILTER_MANAGER_RUBYLIB") { File.expand_path("../../binding/ruby/lib", __dir__) })

module Milter
  module Manager
    # What C defines in the daemon, as far as the language needs it.
    module Native
      LOG_LEVELS = { error: 1, warning: 2, notice: 4, info: 8, statistics: 16, debug: 32, trace: 64 }.freeze
      VALUES = Hash.new { |hash, key| hash[key] = nil }
      CHILDREN = {}
      DEFAULTS = { "applicable_conditions" => [], "options" => nil }.freeze
      LINES = []
      CONNECTIONS = {} # remote ends of connections of this machine and the local ones
      LOOKS = []       # the ends that were looked for
      # By scope, as the daemon has them.
      ITEMS = File.read(File.expand_path("../../src/settings-table.c", __dir__)).scan(/^    [A-Z_]+\(([A-Z]+), "(\w+)"/)
                  .group_by { |scope, _| scope == "CHILD" ? "milter" : scope.downcase }
                  .transform_values { |all| all.map(&:last) }.tap { |all| all.default = [] }.freeze

      class << self
        def log?(_bit) = true
        def log(_bit, text) = LINES << text
        def items(scope) = ITEMS.fetch(scope)
        def get(scope, child, name) = VALUES[[scope, child, name]] || DEFAULTS.fetch(name, 0)
        def set(scope, child, name, value, _origin) = VALUES[[scope, child, name]] = value
        def nearest(_scope, _name) = "n_workers"
        def define_child(name, origin) = CHILDREN[name] = origin
        def remove_child(name) = CHILDREN.delete(name)
        def child_names = CHILDREN.keys

        def local_end(address, port)
          LOOKS << [address, port]
          CONNECTIONS[[address, port]]
        end
      end
    end
  end
end

require "milter/manager"

class Failed < StandardError; end

def check(what)
  raise Failed, "not true: #{what}" unless yield
end

def same(expected, actual, what = nil)
  return if expected == actual

  raise Failed, "#{"#{what}: " if what}expected #{expected.inspect}, got #{actual.inspect}"
end

# The block must raise an error of the operator's that says so.
def refused(pattern)
  yield
rescue Milter::Manager::ConfigurationError => error
  same(true, error.message.match?(pattern), "#{error.message.inspect} matches #{pattern.inspect}")
  error
else
  raise Failed, "nothing was raised; expected #{pattern.inspect}"
end

$stdout.sync = true
$count = 0
$failed = 0

def scenario(name)
  $count += 1
  Milter::Manager::Native::VALUES.clear
  Milter::Manager::Native::CHILDREN.clear
  Milter::Manager::Native::LINES.clear
  yield
  puts "ok #{$count} - #{name}"
rescue StandardError, ScriptError => error
  $failed += 1
  puts "not ok #{$count} - #{name}"
  "#{error.class}: #{error.message}\n#{error.backtrace.first(6).join("\n")}".each_line { |line| puts "# #{line}" }
end

at_exit do
  puts "1..#{$count}"
  exit!($failed.zero? ? 0 : 1) unless $!
end

# A socket address as blocks get it.
class FakeAddress
  attr_reader :address, :port

  def initialize(address, port = 1024, family = :inet)
    @address = address
    @port = port
    @family = family
  end

  def self.unix = new("/run/x", 0, :unix)
  def self.unknown = new(nil, 0, :unknown)

  def local_end = Milter::Manager::SocketTable.local_end(address, port)
  def unix? = @family == :unix
  def unknown? = @family == :unknown
  def to_ip_address = @family == :inet ? IPAddr.new(@address) : nil
  def bits = native && (native.ipv4? ? 32 : 128)
  def number = native&.to_i

  private

  def native = Milter::Manager::AddressSet.of(self)
end

# A context as blocks get it; what a test needs of it is given by hand.
class FakeContext
  attr_reader :name, :macros
  attr_accessor :n_processing_sessions, :declared_size, :seen_size, :shown_recipients

  def initialize(name: "child", macros: {}, sessions: 0, declared_size: nil)
    @name = name
    @macros = macros
    @n_processing_sessions = sessions
    @declared_size = declared_size
    @seen_size = 0
    @shown_recipients = []
  end

  def [](name) = @macros[name.delete("{}")]

  def []=(name, value)
    @macros[name.delete("{}")] = value
  end

  def answer_of(stopper, arguments) = stopper.block.call(self, *arguments)
  def postfix? = @macros["v"].to_s.include?("Postfix")
  def authenticated? = %w[auth_type auth_authen].any? { |name| @macros.key?(name) }
end

def ip(text, port = 1024)
  FakeAddress.new(text, port)
end

# A directory of its own with a configuration that loads the shipped conditions.
class Box
  SHIPPED = File.expand_path("../../conf/applicable-conditions", __dir__)

  attr_reader :directory

  def initialize(directory)
    @directory = directory
  end

  def self.open
    Dir.mktmpdir("milter-ruby-") { |directory| yield new(directory) }
  end

  def path(name) = File.join(@directory, name)

  def write(name, text)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.binwrite(path(name), text)
    File.chmod(0o644, path(name))
    path(name)
  end

  # The configuration with TEXT after the shipped conditions.
  def load(text = "")
    Dir.glob("#{SHIPPED}/*.conf").each { |file| write("shipped/#{File.basename(file)}", File.binread(file)) }
    write("milter-manager.conf", "load(\"shipped/*.conf\")\n#{text}")
    Milter::Manager::Configuration.new(@directory).tap(&:load_main)
  end

  # What the operator is told about TEXT, with the line counted from TEXT's first.
  def complaint(text)
    load(text)
    raise Failed, "it was accepted: #{text}"
  rescue Milter::Manager::ConfigurationError, StandardError => error
    raise if error.is_a?(Failed)

    Milter::Manager::Failure.describe(error).delete_prefix(path("milter-manager.conf"))
                            .sub(/\A:(\d+)/) { ":#{Regexp.last_match(1).to_i - 1}" }
  end
end

# Whether CONDITION stops the child at STEP.
def stops?(condition, step, context, *arguments)
  stops = condition.stoppers.fetch(step, []).map { |stopper| stopper.block.call(context, *arguments) }.any?
  context.shown_recipients = [] if step == "envelope_from"
  context.shown_recipients |= [arguments.first] if step == "envelope_recipient" && !stops
  stops
end
