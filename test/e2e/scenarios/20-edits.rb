# frozen_string_literal: true

# Changes of one child, seen by the next child and by the recipient.

FIELDS = message({ "X-Same" => "one", "x-same" => "two", "X-SAME" => "three", "X-Last" => "end" })

# A scenario in which child 1 makes these changes at end of message.
def edits(name, *actions, text: FIELDS, mtas: nil, second: [])
  scenario "edit: #{name}" do
    list "1:t 2:t"
    only(*mtas) if mtas
    child 1, *actions.map { |action| "eom #{action}" }
    child 2, *second.map { |action| "eom #{action}" }
    dialogue { one_message(text) }
  end
end

edits "add a header", 'addheader X-New "value"'
edits "add two headers of one name", 'addheader X-New "one"', 'addheader X-New "two"'
edits "add a header that exists", 'addheader X-Same "four"'
edits "add a header that exists in other case", 'addheader x-sAmE "four"'
edits "add a folded header", 'addheader X-New "one\n\ttwo\n three"'
edits "add a header with a continuation line without blank", 'addheader X-New "one\ntwo"'
edits "add a header with CRLF folding", 'addheader X-New "one\r\n\ttwo"'
edits "add an empty header", 'addheader X-New ""'
edits "add a header of 8 bits", 'addheader X-New "gr\xc3\xbc\xc3\x9fe"'
edits "add a long header", "addheader X-New \"#{'word ' * 400}\""
edits "add a header that begins with a blank", 'addheader X-New " value"'
edits "add a Received field", 'addheader Received "from a by b"'
edits "add Return-Path", 'addheader Return-Path "<x@example.org>"'
[0, 1, 2, 3, 5, 50].each { |index| edits "insert a header at #{index}", "insheader #{index} X-New \"value\"" }
edits "insert 0, 1, 2, 5", 'insheader 0 X-A "0"', 'insheader 1 X-B "1"', 'insheader 2 X-C "2"', 'insheader 5 X-D "5"'
edits "insert three at 0", 'insheader 0 X-A "first"', 'insheader 0 X-B "second"', 'insheader 0 X-C "third"'
edits "insert three at 1", 'insheader 1 X-A "first"', 'insheader 1 X-B "second"', 'insheader 1 X-C "third"'
edits "insert a name that exists", 'insheader 1 X-Same "zero"'
[0, 1, 2, 3, 4, 9].each { |index| edits "change header #{index} of three", "chgheader X-Same #{index} \"changed\"" }
[0, 1, 2, 3, 4, 9].each { |index| edits "delete header #{index} of three", "chgheader X-Same #{index}" }
edits "change with other case", 'chgheader sUBJECT 1 "changed"'
edits "change a header that does not exist", 'chgheader X-None 1 "new"'
edits "delete a header that does not exist", "chgheader X-None 1"
edits "change to an empty value", 'chgheader Subject 1 ""'
edits "change to a folded value", 'chgheader Subject 1 "one\n\ttwo"'
edits "delete 1, 2, 3", "chgheader X-Same 1", "chgheader X-Same 2", "chgheader X-Same 3"
edits "delete 3, 2, 1", "chgheader X-Same 3", "chgheader X-Same 2", "chgheader X-Same 1"
edits "delete 1, 1, 1", "chgheader X-Same 1", "chgheader X-Same 1", "chgheader X-Same 1"
edits "delete and change what follows", "chgheader X-Same 1", 'chgheader X-Same 2 "changed"'
edits "delete and change the first", "chgheader X-Same 1", 'chgheader X-Same 1 "changed"'
edits "change and delete the same", 'chgheader X-Same 2 "changed"', "chgheader X-Same 2"
edits "add after delete", "chgheader X-Same 1", 'addheader X-Same "new"'
edits "add after deleting all", "chgheader X-Same 3", "chgheader X-Same 2", "chgheader X-Same 1", 'addheader X-Same "new"'
edits "delete the only one and add", "chgheader X-Last 1", 'addheader X-Last "new"'
edits "delete the only one and insert", "chgheader X-Last 1", 'insheader 1 X-Last "new"'
edits "delete the only one and change it", "chgheader X-Last 1", 'chgheader X-Last 1 "new"'
edits "add and change what was added", 'addheader X-New "one"', 'chgheader X-New 1 "two"'
edits "add and delete what was added", 'addheader X-New "one"', "chgheader X-New 1"
edits "insert and delete what was inserted", 'insheader 1 X-New "one"', "chgheader X-New 1"
edits "insert and change", 'insheader 0 X-New "one"', 'chgheader X-New 1 "two"'
edits "insert before the same name and change 1", 'insheader 1 X-Same "zero"', 'chgheader X-Same 1 "changed"'
edits "change past the end twice", 'chgheader X-None 1 "a"', 'chgheader X-None 2 "b"'
edits "change Received", 'chgheader Received 1 "changed"', text: message({ "Received" => "from a by b; Sat, 22 Nov 2025 00:00:00 +0000" })
edits "delete From", "chgheader From 1"
edits "delete all headers", *%w[From To Subject Date Message-ID].map { |name| "chgheader #{name} 1" }, text: Scenario::MESSAGE
edits "add a recipient", "addrcpt <new@example.net>"
edits "add a recipient without brackets", "addrcpt new@example.net"
edits "add a recipient that is there", "addrcpt <user@example.net>"
edits "add a recipient with parameters", 'addrcpt_par <new@example.net> "NOTIFY=NEVER"'
edits "add a recipient with no parameters", "addrcpt_par <new@example.net>"
edits "add two and delete one", "addrcpt <new@example.net>", "addrcpt <newer@example.net>", "delrcpt <new@example.net>"
edits "delete the recipient", "delrcpt <user@example.net>"
edits "delete the recipient without brackets", "delrcpt user@example.net"
edits "delete a recipient that is not there", "delrcpt <nobody@example.net>"
edits "delete and add the recipient", "delrcpt <user@example.net>", "addrcpt <user@example.net>"
edits "replace the recipient", "delrcpt <user@example.net>", "addrcpt <other@example.net>"
edits "delete a recipient in other case", "delrcpt <USER@EXAMPLE.NET>"
edits "change the sender", "chgfrom <new@example.com>"
edits "change the sender to nobody", "chgfrom <>"
edits "change the sender with parameters", 'chgfrom <new@example.com> "SIZE=99999 BODY=8BITMIME"'
edits "change the sender with ENVID and RET", 'chgfrom <new@example.com> "RET=HDRS ENVID=abc"'
edits "change the sender twice", "chgfrom <a@example.com>", "chgfrom <b@example.com>"
edits "progress", "progress", 'addheader X-New "one"', "progress"
edits "edits and then reject", 'addheader X-New "one"', 'replacebody "new\r\n"', "reject"
edits "edits and then discard", 'addheader X-New "one"', "discard"
edits "edits and then accept", 'addheader X-New "one"', 'chgheader Subject 1 "new"', "accept"
edits "everything at once", 'addheader X-A "1"', 'insheader 0 X-B "2"', 'chgheader Subject 1 "3"', "chgheader X-Last 1",
      'replacebody "new body\r\n"', "addrcpt <new@example.net>", "delrcpt <user@example.net>", "chgfrom <new@example.com>"

scenario "edit: actions that were not asked for" do
  child 1, "negotiate actions 0x1", 'eom addheader X-New "one"', 'eom chgheader Subject 1 "no"', 'eom replacebody "no"',
        "eom addrcpt <no@example.net>", "eom delrcpt <user@example.net>", "eom chgfrom <no@example.com>"
end

scenario "edit: only in the first of two messages" do
  list "1:t 2:t"
  child 1, 'eom msg=1 addheader X-New "one"', 'eom msg=1 replacebody "new\r\n"', "eom msg=1 addrcpt <new@example.net>"
  dialogue { ehlo; transaction; transaction; quit }
end

# Alone, because quarantine ends the chain in Postfix; see also 25-edit-chains.
{
  "quarantine" => ['quarantine "looks odd"'],
  "quarantine and other changes" => ['addheader X-New "one"', 'quarantine "looks odd"', 'addheader X-Too "two"'],
  "quarantine twice" => ['quarantine "one"', 'quarantine "two"'],
  "quarantine and reject" => ['quarantine "odd"', "reject"],
  "quarantine and discard" => ['quarantine "odd"', "discard"]
}.each do |name, actions|
  scenario "edit: #{name}" do
    child 1, *actions.map { |action| "eom #{action}" }
  end
end
