# frozen_string_literal: true

# Changes of two and three children to the same things.

CHAIN_FIELDS = message({ "X-Same" => "one", "x-same" => "two", "X-SAME" => "three", "X-Last" => "end" })

def chain(name, *children, text: CHAIN_FIELDS)
  scenario "chain: #{name}" do
    list children.each_index.map { |i| "#{i + 1}:t" }.join(" ")
    children.each_with_index { |actions, i| child i + 1, *actions.map { |action| "eom #{action}" } }
    dialogue { one_message(text) }
  end
end

chain "delete in 1, change in 2", ["chgheader X-Same 1"], ['chgheader X-Same 1 "changed"']
chain "delete 2 in 1, change 2 in 2", ["chgheader X-Same 2"], ['chgheader X-Same 2 "changed"']
chain "delete 1 in 1, change 3 in 2", ["chgheader X-Same 1"], ['chgheader X-Same 3 "changed"']
chain "delete in each", ["chgheader X-Same 1"], ["chgheader X-Same 1"], ["chgheader X-Same 1"]
chain "delete 3, 2, 1", ["chgheader X-Same 3"], ["chgheader X-Same 2"], ["chgheader X-Same 1"]
chain "delete two in 1, change in 2, add in 3", ["chgheader X-Same 1", "chgheader X-Same 2"],
      ['chgheader X-Same 1 "changed"'], ['addheader X-Same "added"']
chain "delete in 1, add in 2, change in 3", ["chgheader X-Same 2"], ['addheader X-Same "added"'],
      ['chgheader X-Same 3 "changed"']
chain "delete all in 1, add in 2", ["chgheader X-Same 3", "chgheader X-Same 2", "chgheader X-Same 1"],
      ['addheader X-Same "added"']
chain "delete all in 1, insert in 2, delete in 3", ["chgheader X-Same 3", "chgheader X-Same 2", "chgheader X-Same 1"],
      ['insheader 1 X-Same "inserted"'], ["chgheader X-Same 1"]
chain "add in 1, change in 2", ['addheader X-New "one"'], ['chgheader X-New 1 "two"']
chain "add in 1, delete in 2", ['addheader X-New "one"'], ["chgheader X-New 1"]
chain "add in 1, 2 and 3", ['addheader X-New "one"'], ['addheader X-New "two"'], ['addheader X-New "three"']
chain "insert at 0 in 1, 2 and 3", ['insheader 0 X-New "one"'], ['insheader 0 X-New "two"'], ['insheader 0 X-New "three"']
chain "insert at 1 in 1, 2 and 3", ['insheader 1 X-A "one"'], ['insheader 1 X-B "two"'], ['insheader 1 X-C "three"']
chain "insert at 2 in 1 and 2", ['insheader 2 X-A "one"'], ['insheader 2 X-B "two"']
chain "insert at 3 in 1 and 2", ['insheader 3 X-A "one"'], ['insheader 3 X-B "two"']
chain "insert before deleted ones", ["chgheader From 1", "chgheader To 1"], ['insheader 3 X-B "two"']
chain "insert in 1, change the same name in 2", ['insheader 1 X-Same "zero"'], ['chgheader X-Same 2 "changed"']
chain "insert in 1, delete the same name in 2", ['insheader 1 X-Same "zero"'], ["chgheader X-Same 1"]
chain "change in each", ['chgheader Subject 1 "one"'], ['chgheader Subject 1 "two"'], ['chgheader Subject 1 "three"']
chain "change with other case in each", ['chgheader SUBJECT 1 "one"'], ['chgheader subject 1 "two"']
chain "change past the end in each", ['chgheader X-None 5 "one"'], ['chgheader X-None 5 "two"']
chain "add in 1 what 2 changes past the end", ['addheader X-New "one"'], ['chgheader X-New 2 "two"']
chain "change index 0 after delete", ["chgheader X-Same 1"], ['chgheader X-Same 0 "zero"']
chain "delete Subject in 1, add it in 2, change it in 3", ["chgheader Subject 1"], ['addheader Subject "two"'],
      ['chgheader Subject 1 "three"']
chain "delete what the other added, then add again", ['addheader X-New "one"'], ["chgheader X-New 1"], ['addheader X-New "three"']
chain "delete all headers, then add", %w[From To Subject Date Message-ID].map { |n| "chgheader #{n} 1" },
      ['addheader From "new@example.com"'], text: Scenario::MESSAGE
chain "body of 1, then body of 2", ['replacebody "first\r\n"'], ['replacebody "second\r\n"']
chain "body of 1 only, with headers of 2", ['replacebody "first\r\n"'], ['addheader X-New "two"']
chain "body of 1, emptied by 2", ['replacebody "first\r\n"'], ['replacebody ""']
chain "emptied by 1, body of 2", ['replacebody ""'], ['replacebody "second\r\n"']
chain "bodies of three with headers in between", ['replacebody "one\r\n"', 'addheader X-A "1"', "progress"],
      ['addheader X-B "2"', 'replacebody "two\r\n"'], ["progress", 'chgheader Subject 1 "3"']
chain "recipients of two", ["addrcpt <new@example.net>"], ["delrcpt <user@example.net>"]
chain "the recipient added by 1 is deleted by 2", ["addrcpt <new@example.net>"], ["delrcpt <new@example.net>"]
chain "the same recipient added by both", ["addrcpt <new@example.net>"], ["addrcpt <new@example.net>"]
chain "the recipient deleted by 1 is added by 2", ["delrcpt <user@example.net>"], ["addrcpt <user@example.net>"]
chain "sender changed by two", ["chgfrom <one@example.com>"], ["chgfrom <two@example.com>"]
chain "changes of 1, then 2 rejects", ['addheader X-New "one"', 'replacebody "new\r\n"'], ["reject"]
chain "changes of 1, then 2 discards", ['addheader X-New "one"'], ["discard"]
chain "changes of 1, then 2 accepts, 3 adds", ['addheader X-New "one"'], ["accept"], ['addheader X-New "three"']
chain "quarantine by 2 of 2", ['addheader X-New "one"'], ['quarantine "two says"', 'addheader X-New "two"']

scenario "chain: quarantine by 1, child 2 goes on" do
  list "1:t 2:t"
  accept "Quarantine does not end the chain", :postfix
  child 1, 'eom addheader X-New "one"', 'eom quarantine "one says"'
  child 2, 'eom addheader X-New "two"'
end

scenario "chain: edits by child 1 that accepted child 2 at mail" do
  list "1:t 2:t"
  child 1, 'eom addheader X-New "one"'
  child 2, "mail accept", 'eom addheader X-Never "two"'
end

scenario "chain: children that decline header or body see changes of the others" do
  list "1:t 2:t 3:t"
  child 1, 'eom chgheader Subject 1 "one"', 'eom replacebody "new\r\n"'
  child 2, "negotiate steps NOHDRS NOEOH", 'eom addheader X-B "two"'
  child 3, "negotiate steps NOBODY", 'eom chgheader X-B 1 "three"'
  dialogue { one_message(CHAIN_FIELDS) }
end
