# frozen_string_literal: true

# Children that are down, die, hang, or talk nonsense: the fallback decides.

NAMES = { "t" => "tempfail", "r" => "reject", "a" => "accept" }.freeze
LOST = "A child that dies at end of message leaves no half of its changes"

def fails(name, list:, rules: {}, mtas: nil, accept: nil, &steps)
  scenario "failure: #{name}" do
    list list
    accept accept if accept
    only(*mtas) if mtas
    rules.each { |number, lines| child number, *lines }
    dialogue(&(steps || ->(_) { ehlo; transaction(to: %w[one@example.net two@example.net]); rset; transaction; quit }))
  end
end

NAMES.each do |letter, what|
  fails "child 1 of 2 is down, #{what}", list: "d:#{letter} 1:t", rules: { 1 => ['eom addheader X-New "one"'] }
  fails "child 2 of 2 is down, #{what}", list: "1:t d:#{letter}", rules: { 1 => ['eom addheader X-New "one"'] }
  fails "the only child is down, #{what}", list: "d:#{letter}"

  %w[negotiate connect helo mail rcpt data header eoh body eom].each do |step|
    fails "child 1 dies at #{step}, #{what}", list: "1:#{letter} 2:t", rules: { 1 => ["#{step} close"], 2 => ['eom addheader X-New "two"'] }
    fails "child 2 dies at #{step}, #{what}", list: "1:t 2:#{letter}", rules: { 1 => ['eom addheader X-New "one"'], 2 => ["#{step} close"] }
  end
  fails "child 1 dies at unknown, #{what}", list: "1:#{letter} 2:t", rules: { 1 => ["unknown close"] } do
    ehlo; cmd "XFOO"; transaction; quit
  end
  fails "child 1 dies at the second message, #{what}", list: "1:#{letter} 2:t", rules: { 1 => ["mail msg=2 close"] } do
    ehlo; 3.times { transaction; rset }; quit
  end
  fails "child 1 dies after an edit, #{what}", list: "1:#{letter} 2:t", accept: (LOST if letter == "a"),
        rules: { 1 => ['eom addheader X-Lost "one"', 'eom replacebody "lost\r\n"', "eom close"] }
  fails "child 2 dies after an edit, #{what}", list: "1:t 2:#{letter}", accept: (LOST if letter == "a"),
        rules: { 1 => ['eom addheader X-New "one"'], 2 => ['eom addheader X-Lost "two"', "eom close"] }
  fails "child 1 dies at abort, #{what}", list: "1:#{letter} 2:t", rules: { 1 => ["abort close"] } do
    ehlo; mail; rcpt; rset; transaction; quit
  end
  fails "both children die at mail, #{what}", list: "1:#{letter} 2:#{letter}", rules: { 1 => ["mail close"], 2 => ["mail close"] }
end

# Bytes instead of a reply: length, command, data.
NONSENSE = {
  "an unknown reply" => '\x00\x00\x00\x01?',
  "a reply of length 0" => '\x00\x00\x00\x00',
  "a packet of 1 GB" => '\x40\x00\x00\x00c',
  "text instead of packets" => "HTTP/1.0 400 Bad Request",
  "a reply code of letters" => '\x00\x00\x00\x0bydsn text\x00x',
  "a reply code 250" => '\x00\x00\x00\x0cy250 2.0 ok\x00',
  "continue with trailing bytes" => '\x00\x00\x00\x03cxx',
  "skip outside of the body" => '\x00\x00\x00\x01s',
  "shutdown" => '\x00\x00\x00\x011',
  "connection failure" => '\x00\x00\x00\x01f'
}.freeze

NONSENSE.each do |what, bytes|
  %w[mail rcpt eom].each do |step|
    fails "#{what} at #{step}", list: "1:t 2:t quick", rules: { 1 => ["#{step} msg=1 nth=1 send \"#{bytes}\"", "#{step} msg=1 nth=1 dropreply"] }
  end
end

fails "an edit at mail", list: "1:t 2:t quick", rules: { 1 => ['mail send "\x00\x00\x00\x05hX\x00v\x00"'] }
fails "a header insert with a negative index", list: "1:t 2:t quick", rules: { 1 => ['eom send "\x00\x00\x00\x09i\xff\xff\xff\xffX\x00v\x00"'] }
fails "an empty header name", list: "1:t 2:t quick", accept: "A header field without a name", rules: { 1 => ['eom send "\x00\x00\x00\x04h\x00v\x00"'] }

one = ->(_) { ehlo; transaction; quit }
fails "child 1 hangs at connect, tempfail", list: "1:t 2:t quick", rules: { 1 => ["connect sleep 2.5"] }, &one
%w[helo mail rcpt data header eom].each do |step|
  fails "child 1 hangs at #{step}, accept", list: "1:a 2:t quick", rules: { 1 => ["#{step} sleep 2.5"] }, &one
end
fails "child 2 hangs at eom, tempfail", list: "1:t 2:t quick", rules: { 2 => ["eom sleep 2.5"] }, &one
fails "child 1 sends progress while it works", list: "1:t 2:t quick", mtas: %w[postfix],
      rules: { 1 => ["eom sleep 0.6", "eom progress", "eom sleep 0.6", "eom progress", "eom sleep 0.6", 'eom addheader X-New "one"'] }, &one
