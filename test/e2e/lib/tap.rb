# frozen_string_literal: true

# Prints the Test Anything Protocol, which automake's driver reads.
class Tap
  attr_reader :failures

  def initialize(out = $stdout)
    @out = out
    @out.sync = true
    @count = 0
    @failures = 0
  end

  # One result.  DIAGNOSTIC is shown when it failed.
  def ok(passed, name, diagnostic = nil)
    @count += 1
    @failures += 1 unless passed
    @out.puts "#{passed ? 'ok' : 'not ok'} #{@count} - #{name.gsub('#', '')}"
    note(diagnostic) if diagnostic && !passed
    passed
  end

  # A result that was not asked for, with the reason.
  def skip(name, reason)
    @count += 1
    @out.puts "ok #{@count} - #{name.gsub('#', '')} # SKIP #{reason}"
  end

  # Lines for the reader.
  def note(text)
    text.each_line { |line| @out.puts "# #{line.chomp}" }
  end

  # The plan, at the end; returns the exit status.
  def finish
    @out.puts "1..#{@count}"
    @failures.zero? ? 0 : 1
  end

  # The whole program is skipped.
  def self.skip_all(reason)
    puts "1..0 # SKIP #{reason}"
    exit 0
  end
end
