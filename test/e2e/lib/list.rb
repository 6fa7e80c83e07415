# frozen_string_literal: true

# Which children are registered, in which order, with what fallback: "1:t 2:a" is child 1 with
# tempfail and child 2 with accept.  "d" is a child that is down.  "quick" as last word makes the
# time limits short.
class List
  Entry = Struct.new(:child, :fallback) do
    def down? = child == "d"
  end

  POSTFIX = { "t" => "tempfail", "r" => "reject", "a" => "accept", "q" => "quarantine" }.freeze
  SENDMAIL = { "t" => "F=T", "r" => "F=R", "a" => nil }.freeze
  MANAGER = { "t" => "temporary-failure", "r" => "reject", "a" => "accept",
              "q" => "quarantine" }.freeze
  QUICK = 1 # seconds for a reply when the list is quick

  attr_reader :key, :entries

  def initialize(key)
    @key = key
    words = key.split
    @quick = words.delete("quick")
    @entries = words.map { |word| Entry.new(*word.split(":")) }
  end

  def quick? = !@quick.nil?

  # A word that can stand in file names and configuration files.
  def slug = key.tr(" :", "_-")

  # Numbers of the children that run.
  def numbers = entries.reject(&:down?).map { |entry| entry.child.to_i }

  # Can Sendmail register it?
  def sendmail? = entries.all? { |entry| SENDMAIL.key?(entry.fallback) }
end
