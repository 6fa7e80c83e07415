# frozen_string_literal: true

# What clients do: resets, greetings in the wrong place, disconnects, refused commands.

def talk(name, list: "1:t 2:t", rules: {}, mtas: nil, &steps)
  scenario "dialogue: #{name}" do
    list list
    only(*mtas) if mtas
    rules.each { |number, lines| child number, *lines }
    dialogue(&steps)
  end
end

talk("connect and quit") { quit }
talk("connect and drop") { drop }
talk("HELO and quit") { helo; quit }
talk("EHLO, drop") { ehlo; drop }
talk("no HELO at all") { mail; rcpt; data; quit }
talk("HELO twice") { helo "one.example.com"; helo "two.example.com"; transaction; quit }
talk("EHLO, HELO, EHLO") { ehlo "a.example.com"; helo "b.example.com"; ehlo "c.example.com"; transaction; quit }
talk("HELO inside a transaction") { ehlo; mail; rcpt; helo "again.example.com"; transaction; quit }
talk("EHLO after MAIL") { ehlo; mail; ehlo "again.example.com"; transaction; quit }
talk("EHLO between messages") { ehlo; transaction; ehlo "again.example.com"; transaction; quit }
talk("EHLO refused the second time", rules: { 1 => ["helo nth=2 reject"] }) do
  ehlo; transaction; ehlo "again.example.com"; transaction; quit
end
talk("RSET after EHLO") { ehlo; rset; transaction; quit }
talk("RSET after MAIL") { ehlo; mail; rset; transaction; quit }
talk("RSET after RCPT") { ehlo; mail; rcpt; rset; transaction; quit }
talk("RSET after a message") { ehlo; transaction; rset; transaction; rset; quit }
talk("RSET twice") { ehlo; mail; rset; rset; transaction; quit }
talk("QUIT after MAIL") { ehlo; mail; quit }
talk("QUIT after RCPT") { ehlo; mail; rcpt; quit }
talk("drop after MAIL") { ehlo; mail; drop }
talk("drop after RCPT") { ehlo; mail; rcpt; drop }
talk("drop after DATA") { ehlo; mail; rcpt; cut_data ""; drop }
talk("drop in the headers") { ehlo; mail; rcpt; cut_data "Subject: test\r\nX-"; drop }
talk("drop in the body") { ehlo; mail; rcpt; cut_data "#{Scenario::MESSAGE}more"; drop }
talk("drop in a large body") { ehlo; mail; rcpt; cut_data "Subject: x\r\n\r\n#{"0123456789\r\n" * 30_000}"; drop }
talk("drop after a message") { ehlo; transaction; drop }
talk("MAIL twice") { ehlo; mail; mail "again@example.com"; rcpt; data; quit }
talk("RCPT without MAIL") { ehlo; rcpt; transaction; quit }
talk("DATA without RCPT") { ehlo; mail; data; rcpt; data; quit }
talk("bad MAIL syntax") { ehlo; cmd "MAIL FROM:"; cmd "MAIL FROM:<a b>"; transaction; quit }
talk("empty sender") { ehlo; mail ""; rcpt; data; quit }
talk("address without brackets") { ehlo; cmd "MAIL FROM:sender@example.com"; cmd "RCPT TO:user@example.net"; data; quit }
talk("quoted local part") { ehlo; mail '"a b"@example.com'; rcpt '"x y"@example.net'; data; quit }
talk("source route") { ehlo; mail; cmd "RCPT TO:<@relay.example.org:user@example.net>"; data; quit }
talk("a recipient that the MTA refuses") { ehlo; mail; rcpt "refused@example.net"; rcpt; data; quit }
talk("only recipients that the MTA refuses") { ehlo; mail; rcpt "refused@example.net"; data; rset; transaction; quit }
talk("a refused recipient and RCPT_REJ", rules: { 2 => ["negotiate steps RCPT_REJ"] }) do
  ehlo; mail; rcpt "refused@example.net"; rcpt; data; quit
end
talk("RCPT_REJ in both, one refuses", rules: { 1 => ["negotiate steps RCPT_REJ", "rcpt nth=1 reject"],
                                             2 => ["negotiate steps RCPT_REJ"] }) do
  ehlo; mail; rcpt "refused@example.net"; rcpt "one@example.net"; rcpt "two@example.net"; data; quit
end
talk("RCPT_REJ with a macro list", rules: { 1 => ["negotiate steps RCPT_REJ", 'negotiate symlist 3 "{rcpt_addr}"'] }) do
  ehlo; mail; rcpt "refused@example.net"; rcpt; data; quit
end
talk("RCPT after a DATA refused by child 2", rules: { 2 => ["data msg=1 reject"] }) do
  ehlo; mail; rcpt; data; rset; transaction; quit
end
talk("all recipients refused, DATA", rules: { 1 => ["rcpt msg=1 reject"] }) do
  ehlo; mail; rcpt "one@example.net"; rcpt "two@example.net"; data; rset; transaction; quit
end
talk("many recipients, every third refused", rules: { 1 => (1..6).map { |i| "rcpt nth=#{i * 3} reject" } }) do
  ehlo; transaction(to: (1..20).map { |i| "user#{i}@example.net" }); quit
end
talk("commands after a refused MAIL", rules: { 1 => ["mail msg=1 reject"] }) do
  ehlo; mail; rcpt; data; mail "again@example.com"; rcpt; data; quit
end
talk("NOOP and VRFY") { ehlo; cmd "NOOP"; cmd "VRFY user@example.net"; mail; cmd "NOOP"; rcpt; data; quit }
talk("unknown commands everywhere") do
  cmd "XONE"; ehlo; cmd "XTWO arg"; mail; cmd "XTHREE arg arg"; rcpt; cmd "XFOUR"; data; cmd "XFIVE"; quit
end
talk("five messages on one connection") { ehlo; 5.times { |i| transaction(message({ "X-N" => i })) }; quit }
talk("a message after a refused one", rules: { 2 => ["eom msg=1 reject"] }) { ehlo; transaction; transaction; quit }
talk("pipelined commands", mtas: %w[postfix]) do
  ehlo; raw "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n"
  4.times { read }
  raw "Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n"
  2.times { read }
end
talk("BDAT", mtas: %w[postfix]) do
  ehlo; mail; rcpt; raw "BDAT 20\r\nSubject: x\r\n\r\nhello\n"; read; raw "BDAT 7 LAST\r\nworld\r\n"; read; quit
end
talk("XCLIENT", mtas: %w[postfix]) do
  ehlo; cmd "XCLIENT NAME=mail.example.com ADDR=192.0.2.10 PORT=1234"; ehlo; transaction; quit
end
talk("XCLIENT with an IPv6 address", mtas: %w[postfix]) do
  ehlo; cmd "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1"; ehlo; transaction; quit
end
talk("XCLIENT in the middle of two messages", mtas: %w[postfix]) do
  ehlo; transaction; cmd "XCLIENT NAME=mail.example.com ADDR=192.0.2.10"; ehlo; transaction; quit
end
talk("XCLIENT refused at connect", list: "1:t", mtas: %w[postfix], rules: { 1 => ["connect arg=bad.example.com reject"] }) do
  ehlo; cmd "XCLIENT NAME=bad.example.com ADDR=192.0.2.10"; ehlo; transaction; quit
end
talk("STARTTLS", mtas: %w[postfix]) { ehlo; starttls; ehlo; transaction; quit }
talk("STARTTLS after a message", mtas: %w[postfix]) { ehlo; transaction; starttls; ehlo; transaction; quit }
talk("refused at connect, client goes on", rules: { 1 => ["connect reject"] }) { ehlo; mail; rcpt; rset; helo; mail; quit }
talk("refused at helo, client says HELO again", rules: { 1 => ["helo nth=1 reject"] }) { ehlo; mail; helo; mail; rcpt; data; quit }
talk("ESMTP parameters") do
  ehlo; mail "sender@example.com", "SIZE=1000", "BODY=8BITMIME", "RET=HDRS", "ENVID=abc+3Ddef"
  rcpt "user@example.net", "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;orig@example.net"; data; quit
end
talk("BODY=7BIT") { ehlo; mail "sender@example.com", "BODY=7BIT"; rcpt; data; quit }
talk("SMTPUTF8", mtas: %w[postfix]) do
  ehlo; mail "gr\u00fc\u00dfe@example.com", "SMTPUTF8"; rcpt "jos\u00e9@example.net"; data; quit
end
talk("SIZE too large", mtas: %w[postfix]) { ehlo; mail "sender@example.com", "SIZE=99999999999"; transaction; quit }
talk("an unknown ESMTP parameter") { ehlo; mail "sender@example.com", "XFOO=bar"; rcpt "user@example.net", "XBAR=foo"; rset; transaction; quit }
