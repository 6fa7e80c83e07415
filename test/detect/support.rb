# frozen_string_literal: true

# Trees of files as systems have them, in one text each:
#
#   platform: debian                 what package.platform is
#   options: prefix=/opt/etc         package.options
#   expect: NAME KIND on|off SPEC ORIGIN [# part of the reason]
#   expect: nothing
#   == /etc/opendkim.conf            a file, with the lines up to the next heading
#   == /usr/sbin/opendkim +x         one that can be run
#   == /etc/rc2.d/S01x -> ../init.d/x
require_relative "../ruby/support"

# A tree unpacked below DIRECTORY.
class Tree
  HEADING = /^== (\S+)(?: (\+x)| -> (\S+))?$/

  attr_reader :directory, :settings, :expected

  def initialize(directory, text)
    @directory = directory
    head, *files = "\n#{text}".split(/^(?=== )/)
    @settings = head.scan(/^(platform|options): (.*)$/).to_h
    @expected = head.scan(/^expect: (.*)$/).flatten
    files.each { |file| unpack(file) }
  end

  def self.open(text)
    Dir.mktmpdir("milter-detect-") { |directory| yield new(directory, text) }
  end

  def path(name) = File.join(@directory, name)

  def write(name, text, mode = 0o644)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.binwrite(path(name), text)
    File.chmod(mode, path(name))
  end

  def link(name, target)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.symlink(target, path(name))
  end

  def detection(**arguments)
    options = @settings.fetch("options", "").split(",").to_h { |each| each.split("=", 2) }
    Milter::Manager::Detection.new(root: @directory, platform: @settings.fetch("platform", "debian"),
                                   options: options, **arguments)
  end

  def candidates(**arguments) = detection(**arguments).candidates

  private

  def unpack(text)
    heading, body = text.split("\n", 2)
    name, executable, target = heading.match(HEADING).captures
    target ? link(name, target) : write(name, body.to_s.sub(/\n\n\z/, "\n"), executable ? 0o755 : 0o644)
  end
end

def in_tree(text, &block)
  Tree.open(text, &block)
end

# The only candidate of a tree.
def candidate_of(text, **arguments)
  Tree.open(text) do |tree|
    found = tree.candidates(**arguments)
    same(1, found.size, "number of candidates (#{found.map(&:name).join(' ')})")
    found.first
  end
end

def say(candidate)
  "#{candidate.name} #{candidate.kind} #{candidate.usable? ? 'on' : 'off'} #{candidate.connection_spec || '-'} " \
    "#{(candidate.spec_origin || '-').tr(' ', '_')}"
end
