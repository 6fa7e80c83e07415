# frozen_string_literal: true

# Messages of every form, and replaced bodies.

def mails(name, text, rules = {}, list: "1:t 2:t", mtas: nil)
  scenario "message: #{name}" do
    list list
    only(*mtas) if mtas
    rules.each { |number, lines| child number, *lines }
    dialogue { one_message(text) }
  end
end

replaced = ->(*actions) { { 1 => actions.map { |action| "eom #{action}" } } }

mails "no body", "Subject: x\r\n\r\n"
mails "no body and no blank line", "Subject: x\r\n"
mails "no headers", "\r\nbody\r\n"
mails "nothing at all", ""
mails "only a blank line", "\r\n"
mails "body without headers at all", "this is no header\r\nbody\r\n"
mails "a body of one dot", message({}, body: ".\r\n")
mails "lines that begin with dots", message({}, body: "..\r\n.a\r\n...\r\n")
mails "long body lines", message({}, body: "#{'x' * 900}\r\n" * 10)
mails "8 bits", message({ "X-Eight" => "gr\xc3\xbc\xc3\x9fe" }, body: "gr\xc3\xbc\xc3\x9fe \xff\xfe\r\n")
mails "a NUL in the body", message({}, body: "a\0b\r\n\0\r\nc\r\n")
mails "a NUL in a header", message({ "X-Nul" => "a\0b" })
mails "bare CR in the body", message({}, body: "a\rb\r\n")
mails "bare LF in the body", message({}, body: "a\nb\r\n"), mtas: %w[postfix]
mails "control characters", message({ "X-Control" => "a\x01b\x7f" }, body: "\x01\x02\x1b\r\n")
mails "a folded header", message({ "X-Folded" => "one\r\n\ttwo\r\n three\r\n   four" })
mails "a header that is folded at once", message({ "X-Folded" => "\r\n one" })
mails "a header without value", message({}).sub("Subject: test", "Subject:")
mails "a header of blanks", message({}).sub("Subject: test", "Subject:   ")
mails "a blank before the colon", message({}).sub("Subject: test", "Subject : test")
mails "a header name of odd characters", message({ "X_Odd!$%" => "value" })
mails "a header line of 900 bytes", message({ "X-Long" => "x" * 900 })
mails "a folded header of 20 KB", message({ "X-Long" => (["word " * 10] * 400).join("\r\n\t") })
mails "a folded header of 60 KB", message({ "X-Long" => (["word " * 10] * 1200).join("\r\n\t") })
mails "300 headers", message((1..300).to_h { |i| ["X-Number-#{i}", "value #{i}"] })
mails "300 headers of one name", "#{(1..300).map { |i| "X-Same: value #{i}\r\n" }.join}\r\nbody\r\n"
mails "many Received fields", "#{(1..10).map { |i| "Received: from a#{i} by b#{i}; Sat, 22 Nov 2025 00:00:00 +0000\r\n" }.join}Subject: x\r\n\r\nbody\r\n"
mails "missing Date, From and Message-ID", "Subject: x\r\n\r\nbody\r\n"
mails "Bcc and Resent fields", message({ "Bcc" => "secret@example.net", "Resent-To" => "r@example.net", "Resent-From" => "f@example.net" })
mails "Return-Path and Content-Length", "Return-Path: <x@example.com>\r\nContent-Length: 3\r\nSubject: x\r\n\r\nbody\r\n"
mails "MIME", message({ "MIME-Version" => "1.0", "Content-Type" => "multipart/mixed; boundary=b" },
                      body: "--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b--\r\n")
mails "65535 bytes of body", message({}, body: "#{"#{'x' * 62}\r\n" * 1023}#{'y' * 61}\r\n")
mails "65536 bytes of body", message({}, body: "#{'x' * 62}\r\n" * 1024)
mails "one byte more than two chunks", message({}, body: "#{"#{'x' * 62}\r\n" * 2047}#{'y' * 61}\r\n")
mails "1 MB", message({}, body: "0123456789abcdef0123456789abcdef0123456789abcdef\r\n" * 21_000)
mails "5 MB", message({}, body: "0123456789abcdef0123456789abcdef0123456789abcdef\r\n" * 105_000)
mails "1 MB through three, headers added", message({}, body: "0123456789abcdef0123456789abcdef\r\n" * 31_000),
      { 1 => ['eom addheader X-A "1"'], 2 => ['eom addheader X-B "2"'], 3 => ['eom addheader X-C "3"'] }, list: "1:t 2:t 3:t"

mails "replaced", message, replaced.('replacebody "new\r\n"')
mails "replaced in several calls", message, replaced.('replacebody "one\r\n"', 'replacebody "two\r\n"', 'replacebody "three\r\n"')
mails "replaced by nothing", message, replaced.('replacebody ""')
mails "replaced by nothing twice", message, replaced.('replacebody ""', 'replacebody ""')
mails "replaced by nothing, then something", message, replaced.('replacebody ""', 'replacebody "new\r\n"')
mails "replaced, bare LF", message, replaced.('replacebody "one\ntwo\nthree\n"')
mails "replaced, bare CR", message, replaced.('replacebody "one\rtwo\r\n"')
mails "replaced, mixed line ends", message, replaced.('replacebody "one\ntwo\r\nthree\n\r\nfour\r\n\n"')
mails "replaced, open last line", message, replaced.('replacebody "one\r\ntwo"')
mails "replaced, last line ends in CR", message, replaced.('replacebody "one\r\ntwo\r"')
mails "replaced, CR and LF in two calls", message, replaced.('replacebody "one\r"', 'replacebody "\ntwo\r\n"')
mails "replaced, a line in two calls", message, replaced.('replacebody "one "', 'replacebody "two\r\n"')
mails "replaced, bare LF at a border", message, replaced.('replacebody "one"', 'replacebody "\ntwo\n"')
mails "replaced by dots", message, replaced.('replacebody ".\r\n..\r\n.\r\n"')
mails "replaced by 8 bits and NUL", message, replaced.('replacebody "a\x00b\xff\xfe\r\n"')
mails "replaced by one blank line", message, replaced.('replacebody "\r\n"')
mails "replaced by blank lines", message, replaced.('replacebody "\r\n\r\n\r\n"')
mails "replaced by one byte", message, replaced.('replacebody "x"')
mails "replaced by 200 KB in one call", message, replaced.('replacebody "0123456789abcdef\r\n" 11000')
mails "replaced by 200 KB of bare LF", message, replaced.('replacebody "0123456789abcdef\n" 12000')
mails "replaced by 2 MB", message, replaced.('replacebody "0123456789abcdef0123456789abcdef\r\n" 61000')
mails "replaced by 5000 small calls", message, replaced.(*(["replacebody \"0123456789\\r\\n\""] * 5000))
mails "replaced with a long line", message, replaced.('replacebody "0123456789" 500', 'replacebody "\r\n"')
mails "replaced, headers between the calls", message,
      replaced.('replacebody "one\r\n"', 'addheader X-New "between"', 'replacebody "two\r\n"')
mails "replaced, progress between the calls", message, replaced.('replacebody "one\r\n"', "progress", 'replacebody "two\r\n"')
mails "a body where there was none", "Subject: x\r\n\r\n", replaced.('replacebody "new\r\n"')
mails "nothing where there was nothing", "Subject: x\r\n\r\n", replaced.('replacebody ""')
mails "large, replaced by small", message({}, body: "0123456789abcdef\r\n" * 60_000), replaced.('replacebody "small\r\n"')
mails "replaced by 1, refused at body by 2", message, { 1 => ['eom replacebody "bad words\r\n"'], 2 => ["body reject"] }
mails "replaced by 1 with large, skipped by 2", message,
      { 1 => ['eom replacebody "0123456789abcdef\r\n" 12000'], 2 => ["negotiate steps SKIP", "body nth=2 skip", 'eom addheader X-B "2"'] }
