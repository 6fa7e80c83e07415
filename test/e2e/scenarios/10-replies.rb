# frozen_string_literal: true

# Every verdict at every step by every child of three, in the first of two messages.

STEPS = %w[connect helo mail rcpt data header eoh body eom].freeze

def two_messages(between: nil)
  lambda do |_|
    ehlo
    transaction(to: %w[one@example.net two@example.net])
    cmd(between) if between
    transaction(message({ "X-Message" => "second" }), to: %w[three@example.net])
    quit
  end
end

# A rule for the first message; connect and helo come before any message.
def first_message(step) = %w[connect helo].include?(step) ? step : "#{step} msg=1 nth=1"

verdicts = {
  "accept" => "accept",
  "reject" => "reject",
  "tempfail" => "tempfail",
  "discard" => "discard",
  "a reply" => 'reply 550 5.7.9 "no thanks"',
  "a temporary reply" => 'reply 451 4.7.9 "come back"'
}

verdicts.each do |what, action|
  STEPS.each do |step|
    [1, 2, 3].each do |number|
      scenario "#{what} at #{step} by child #{number} of 3" do
        list "1:t 2:t 3:t"
        child number, "#{first_message(step)} #{action}"
        dialogue(&two_messages(between: "RSET"))
      end
    end
  end
end

%w[reject tempfail discard accept].each do |action|
  %w[mail data header eoh body eom].each do |step|
    next if step == "data" && %w[reject tempfail].include?(action) # libmilter is mute then: see below

    scenario "#{action} at #{step}, no RSET before the next message" do
      list "1:t 2:t"
      child 1, "#{first_message(step)} #{action}"
      dialogue(&two_messages)
    end
  end
  scenario "#{action} at the second recipient" do
    list "1:t 2:t"
    child 1, "rcpt nth=2 #{action}"
    dialogue(&two_messages)
  end
  scenario "#{action} at every recipient of the first message" do
    list "1:t 2:t"
    child 2, "rcpt msg=1 #{action}"
    dialogue(&two_messages)
  end
  scenario "#{action} at an unknown command" do
    list "1:t 2:t"
    accept "Accept at an unknown command", :postfix if action == "accept"
    accept "Discard at an unknown command", :postfix if action == "discard"
    child 1, "unknown #{action}"
    dialogue { ehlo; cmd "XFOO bar"; transaction; cmd "XFOO in between"; quit }
  end
  scenario "#{action} at an unknown command inside a transaction" do
    list "1:t 2:t"
    accept "Discard at an unknown command" if action == "discard"
    child 2, "unknown #{action}"
    dialogue { ehlo; mail; cmd "XFOO bar"; rcpt; cmd "XFOO baz"; data; quit }
  end
  scenario "#{action} at the second header" do
    list "1:t 2:t"
    child 1, "header nth=2 #{action}"
  end
  scenario "#{action} at one header by name, in child 2" do
    list "1:t 2:t"
    child 2, "header name=subject #{action}"
  end
end

scenario "two children refuse differently: the first in order wins" do
  list "1:t 2:t"
  child 1, 'eom reply 451 4.7.0 "first"'
  child 2, 'eom reply 550 5.7.0 "second"'
end

scenario "child 2 refuses the recipient that child 1 accepts" do
  list "1:t 2:t"
  child 1, "rcpt nth=1 accept"
  child 2, "rcpt nth=2 reject"
  dialogue { ehlo; transaction(to: %w[one@example.net two@example.net three@example.net]); quit }
end

scenario "discard in message 1, then message 2 and 3" do
  list "1:t 2:t"
  child 1, "eom msg=1 discard"
  child 2, "mail msg=2 discard"
  dialogue { ehlo; 3.times { transaction }; quit }
end

scenario "discard at mail with one child, then a message" do
  child 1, "mail msg=1 discard"
  dialogue { ehlo; transaction; transaction; quit }
end

scenario "discard at the second recipient" do
  list "1:t 2:t"
  child 1, "rcpt nth=2 discard"
  dialogue { ehlo; transaction(to: %w[one@example.net two@example.net three@example.net]); transaction; quit }
end

scenario "different outcomes of four messages on one connection" do
  list "1:t 2:t"
  child 1, "mail msg=1 reject", "eom msg=2 discard", 'eom msg=4 addheader X-Child "one"'
  child 2, "header msg=3 nth=2 tempfail"
  dialogue { ehlo; 4.times { transaction; rset }; quit }
end

scenario "accept by all children at mail" do
  list "1:t 2:t"
  every_child "mail msg=1 accept"
  dialogue { ehlo; transaction; transaction; quit }
end

scenario "accept by all children at connect" do
  list "1:t 2:t"
  every_child "connect accept"
  dialogue { ehlo; transaction; transaction; quit }
end

scenario "skip at the first body chunk" do
  list "1:t 2:t"
  child 1, "negotiate steps SKIP", "body nth=1 skip", 'eom addheader X-Skipped "yes"'
  dialogue { one_message(message({}, body: "0123456789abcdef\r\n" * 10_000)) }
end

scenario "accept at the first body chunk of a large body" do
  list "1:t 2:t"
  child 1, "body nth=1 accept"
  dialogue { one_message(message({}, body: "0123456789abcdef\r\n" * 10_000)) }
end

scenario "reject at the second body chunk" do
  list "1:t 2:t"
  child 2, "body nth=2 reject"
  dialogue { one_message(message({}, body: "0123456789abcdef\r\n" * 10_000)) }
end

# libmilter does not answer a recipient after it has refused DATA, so the MTA waits for its time limit.
scenario "recipients after a DATA that child 1 refused" do
  list "1:t 2:t quick"
  accept "Recipients after a refused DATA"
  child 1, "data msg=1 reject"
  dialogue { ehlo; mail; rcpt "one@example.net"; data; rcpt "two@example.net"; data; rset; transaction; quit }
end
