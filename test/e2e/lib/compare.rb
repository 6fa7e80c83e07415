# frozen_string_literal: true

require "tempfile"

# Shows how two texts (arrays of lines) differ.
module Compare
  # A readable difference, or nil when there is none.
  def self.diff(expected, actual, labels: %w[direct managed])
    return nil if expected == actual

    files = [expected, actual].map do |lines|
      file = Tempfile.new("e2e")
      file.binmode
      file.write(lines.map { |line| "#{line}\n" }.join)
      file.close
      file
    end
    text = IO.popen(["diff", "-U2", "--label", labels[0], "--label", labels[1],
                     *files.map(&:path)], "rb", &:read)
    files.each(&:unlink)
    text.lines.map { |line| line.size > 600 ? "#{line[0, 600]}...\n" : line }.join
  end
end
