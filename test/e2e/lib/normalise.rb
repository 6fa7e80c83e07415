# frozen_string_literal: true

require "time"

# Turns an outcome into lines of text in which only what may not differ is left: queue ids, ports,
# process ids, dates of today and the MTA's own Received field are replaced.
class Normalise
  OUR_RECEIVED = /^Received: (?:(?!\r\n[^ \t]).)*?by mta\.example\.net.*?\r\n(?![ \t])/mn
  DAYS = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
  MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
  # As Sendmail and Postfix write dates, with and without the zone's name.
  DATE = /#{DAYS},\s+\d{1,2} #{MONTHS} \d{4} \d\d:\d\d:\d\d (?:[-+]\d{4}|GMT)(?: \(\w+\))?/n
  CTIME = /#{DAYS} #{MONTHS} [ \d]\d \d\d:\d\d:\d\d \d{4}/n
  QUEUED = [/queued as (\S+)/n, /\b2\.0\.0 (\w{12,}) Message accepted/n, /^  i="([^"]+)"/n].freeze

  def self.lines(outcome) = new(outcome).lines

  def initialize(outcome)
    @outcome = outcome
    @ids = {}
    collect_ids
  end

  def lines
    (replies + deliveries + queue + children + complaints).map { |line| clean(line) }
  end

  private

  def collect_ids
    texts = @outcome.replies.map { |_, reply| reply.b } + @outcome.children.values.flatten
    texts.each do |text|
      QUEUED.each { |pattern| text.scan(pattern) { |(id)| @ids[id] ||= "QUEUE-ID-#{@ids.size + 1}" } }
    end
    @any_id = @ids.empty? ? nil : Regexp.union(@ids.keys.sort_by { |id| -id.size })
  end

  def clean(text)
    text = text.b
    text = text.gsub(@any_id) { |id| @ids[id] } if @any_id
    text = text.gsub(/ port [1-9]\d*/n, " port PORT")
               .gsub(/(\{(?:client|daemon)_port\})="[1-9]\d*"/n, '\1="PORT"')
    text.gsub(DATE) { |date| today?(date) ? "DATE" : date }
        .gsub(CTIME) { |date| today?(date) ? "DATE" : date }
        .gsub(/\b\d{12,14}\.QUEUE-ID/n, "TIME.QUEUE-ID")
  end

  def today?(text)
    (Time.parse(text) - Time.now).abs < 86_400
  rescue ArgumentError
    false
  end

  def replies
    @outcome.replies.flat_map do |command, reply|
      ["smtp > #{command}", *reply.b.split("\n").map { |line| "smtp < #{line}" }]
    end
  end

  # Deliveries in the order of their queue ids, so that the speed of the MTA does not matter.
  def deliveries
    all = @outcome.deliveries.sort_by { |d| [place(d.data), d.rcpts.sort.join(" ")] }
    all.flat_map { |delivery| delivery_lines(delivery) }
  end

  def place(data)
    id = @any_id && data[/^Received:.*?by mta\.example\.net.*?#{@any_id}/mn]&.slice(@any_id)
    @ids.keys.index(id) || @ids.size
  end

  def delivery_lines(delivery)
    data = delivery.data.sub(OUR_RECEIVED, "Received: by the MTA\r\n")
    ["delivered from #{delivery.from.sub(/SIZE=\d+/) { |size| near(size, delivery.data) }}",
     *delivery.rcpts.sort.map { |rcpt| "delivered to #{rcpt}" },
     *bytes_lines("delivered", data)]
  end

  # The size is the MTA's estimate: with a Received field that is not the same on both sides, and in
  # Sendmail with some of the header fields that were deleted.
  def near(size, data)
    (size[5..].to_i - data.bytesize).abs < 500 ? "SIZE=ACTUAL" : size
  end

  def bytes_lines(label, bytes)
    return ["#{label}: #{bytes.bytesize} bytes, sum #{bytes.sum(32)}, #{bytes[0, 3000].dump}"] if bytes.bytesize > 200_000

    bytes.b.split(/(?<=\n)/n).map { |line| "#{label}: #{line.dump}" }
  end

  def queue
    held = @outcome.queue[:held].sort_by { |id, _| @ids.keys.index(id) || 99 }
    held.flat_map { |_, text| held_lines(text) } +
      @outcome.queue[:deferred].map { |id| "deferred: #{id}" }
  end

  # postcat's output, or Sendmail's control and data file, without what is about time and place.
  def held_lines(text)
    text = text.sub(/^Received: .*?by mta\.example\.net.*?\n(?![ \t])/mn, "Received: by the MTA\n")
               .sub(/^H\?\?Received: .*?by mta\.example\.net.*?\n(?![ \t])/mn, "H??Received: by the MTA\n")
    lines = text.split("\n").reject do |line|
      line =~ /\A(\*\*\*|message_size|message_arrival_time|create_time|named_attribute: (log_|.*_port)|[TKNID]\d|MDeferred|I\d)/n ||
        line =~ /client_port|server_port/n
    end
    lines.map { |line| "quarantined: #{line.dump}" }
  end

  def children
    @outcome.children.sort.flat_map do |number, connections|
      connections.each_with_index.flat_map do |lines, i|
        lines.map { |line| "child #{number} connection #{i + 1}: #{line}" }
      end
    end
  end

  def complaints = @outcome.complaints.map { |line| "complaint: #{line}" }
end
