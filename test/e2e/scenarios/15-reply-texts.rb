# frozen_string_literal: true

# What a child may say and how it has to arrive at the client.

TEXTS = {
  "without enhanced code" => '550 - "just text"',
  "without text" => "550 5.7.1",
  "of two lines" => '550 5.7.1 "first line" "second line"',
  "of five lines" => '451 4.7.1 one two three four five',
  "of two lines without enhanced code" => '550 - "first" "second"',
  "with percent signs" => '550 5.7.1 "100%% of %% us, %%s %%d"',
  "with a long line" => "550 5.7.1 \"#{'x' * 400}\"",
  "421" => '421 4.7.0 "go away"',
  "421 of two lines" => '421 4.7.0 "go" "away"',
  "of 8 bits" => '550 5.7.1 "gr\xc3\xbc\xc3\x9fe"',
  "with its own code in 5xx" => '571 5.7.1 "delivery not authorised"',
  "with blanks" => '550 5.7.1 "  two  blanks  "'
}.freeze

%w[connect helo mail rcpt data header eoh body eom unknown].each do |step|
  TEXTS.each do |what, words|
    next if !%w[mail rcpt eom].include?(step) && what !~ /two lines|421|without/

    scenario "a reply #{what} at #{step}" do
      list "1:t 2:t"
      child 2, "#{step} nth=1 reply #{words}"
      dialogue do
        ehlo
        cmd "XFOO" if step == "unknown"
        transaction(to: %w[one@example.net two@example.net])
        rset
        transaction
        quit
      end
    end
  end
end

scenario "a reply text whose class does not fit the verdict" do
  child 1, 'eom setreply 451 4.7.1 "not now"', "eom reject"
end

scenario "a reply text and tempfail of the other class" do
  child 1, 'rcpt nth=1 setreply 550 5.7.1 "never"', "rcpt nth=1 tempfail"
end

scenario "a reply text and then continue" do
  child 1, 'rcpt nth=1 setreply 550 5.7.1 "never"', "rcpt nth=1 continue"
end

scenario "a reply text set at mail is not used at rcpt" do
  child 1, 'mail setreply 550 5.7.1 "at mail"', "rcpt nth=1 reject"
end
