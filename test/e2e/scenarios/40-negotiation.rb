# frozen_string_literal: true

# Children that want less, or something else, than everything.

def asks(name, rules, list: "1:t 2:t", mtas: nil, &steps)
  scenario "options: #{name}" do
    list list
    only(*mtas) if mtas
    rules.each { |number, lines| child number, *lines }
    dialogue(&(steps || ->(_) { ehlo; cmd "XFOO"; transaction; transaction; quit }))
  end
end

NO_STEPS = %w[NOCONNECT NOHELO NOMAIL NORCPT NOBODY NOHDRS NOEOH NOUNKNOWN NODATA].freeze
NO_REPLIES = %w[NR_CONN NR_HELO NR_MAIL NR_RCPT NR_DATA NR_UNKN NR_EOH NR_BODY NR_HDR].freeze
ADD = 'eom addheader X-Child "seen"'

NO_STEPS.each do |bit|
  asks "#{bit} in child 1", { 1 => ["negotiate steps #{bit}", ADD] }
  asks "#{bit} in child 2", { 2 => ["negotiate steps #{bit}", ADD] }
  asks "#{bit} in both", { 1 => ["negotiate steps #{bit}", ADD], 2 => ["negotiate steps #{bit}", ADD] }
  asks "#{bit} alone", { 1 => ["negotiate steps #{bit}", ADD] }, list: "1:t"
end
NO_REPLIES.each do |bit|
  step = { "NR_CONN" => "connect", "NR_UNKN" => "unknown", "NR_HDR" => "header" }.fetch(bit) { bit[3..].downcase }
  quiet = ["negotiate steps #{bit}", "#{step} noreply", ADD]
  asks "#{bit} in child 1", { 1 => quiet }
  asks "#{bit} in child 2", { 2 => quiet }
  asks "#{bit} in both", { 1 => quiet, 2 => quiet }
end
asks "all NO steps in child 1", { 1 => ["negotiate steps #{NO_STEPS.join(' ')}", ADD] }
asks "all NO steps in both", { 1 => ["negotiate steps #{NO_STEPS.join(' ')}", ADD],
                               2 => ["negotiate steps #{NO_STEPS.join(' ')}", ADD] }
all_quiet = ["negotiate steps #{NO_REPLIES.join(' ')}",
             *%w[connect helo mail rcpt data unknown header eoh body].map { |step| "#{step} noreply" }, ADD]
asks "all NR steps in child 1", { 1 => all_quiet }
asks "all NR steps in both", { 1 => all_quiet, 2 => all_quiet }
asks "all NR steps in child 1, child 2 refuses a recipient", { 1 => all_quiet, 2 => ["rcpt msg=1 reject"] }
asks "all NR steps in child 2, child 1 refuses at header", { 1 => ["header msg=1 nth=2 reject"], 2 => all_quiet }
asks "NR_HDR and a reject that is not heard", { 1 => ["negotiate steps NR_HDR", "header nth=1 reject"] }
asks "no MAIL and RESET", { 2 => ["negotiate steps NOMAIL"] } do
  ehlo; mail; rcpt; rset; transaction; rset; quit
end
asks "no RCPT, child 1 refuses all recipients", { 1 => ["rcpt msg=1 reject"], 2 => ["negotiate steps NORCPT"] } do
  ehlo; mail; rcpt; rset; transaction; quit
end
asks "everything that is offered", { 1 => ["negotiate all"] }, list: "1:t", mtas: %w[postfix]
asks "the negotiation is refused by child 1", { 1 => ["negotiate reject"] }, list: "1:t 2:t"
asks "the negotiation is refused by child 1, fallback accept", { 1 => ["negotiate reject"] }, list: "1:a 2:t"

spaced = message({ "X-Two" => " two blanks", "X-Tab" => "x" }).sub("X-Tab: x", "X-Tab:\tx").sub("Subject: test", "Subject:none")
asks("leading space in child 1", { 1 => ["negotiate steps HDR_LEADSPC", 'eom addheader X-New " with"', 'eom addheader X-Bare "without"',
                                         'eom insheader 1 X-Ins "bare"', 'eom chgheader Subject 1 " changed"'] }) { one_message(spaced) }
asks("leading space in child 2", { 1 => ['eom addheader X-New "one"', 'eom chgheader To 1 " blank"'],
                                   2 => ["negotiate steps HDR_LEADSPC", 'eom chgheader Subject 1 "bare"',
                                         'eom chgheader X-New 1 " two"'] }) { one_message(spaced) }
asks("leading space in both", { 1 => ["negotiate steps HDR_LEADSPC", 'eom addheader X-New "bare"'],
                                2 => ["negotiate steps HDR_LEADSPC", 'eom addheader X-New " blank"'] }) { one_message(spaced) }
asks("leading space in neither", { 1 => ['eom addheader X-New " blank"'] }) { one_message(spaced) }

[2, 3, 4, 5].each do |version|
  asks "child 1 speaks version #{version}", { 1 => ["negotiate version #{version}", "negotiate steps #{version < 4 ? 'NODATA' : 'NOHELO'}", ADD] }
  asks "child 2 speaks version #{version}", { 2 => ["negotiate version #{version}", ADD] }
end

# Macro lists: 0 connect, 1 helo, 2 mail, 3 rcpt, 4 data, 5 end of message, 6 end of header.
asks "macro list for mail in child 1", { 1 => ['negotiate symlist 2 "{mail_addr} {client_addr} i"'] }
asks "macro list for mail in child 2", { 2 => ['negotiate symlist 2 "{mail_addr} {client_addr} i"'] }
asks "different macro lists", { 1 => ['negotiate symlist 2 "{mail_addr}"'], 2 => ['negotiate symlist 2 "{mail_host}"'] }
asks "macro lists of all stages", { 1 => ['negotiate symlist 0 "j {client_addr} {client_ptr} v"', 'negotiate symlist 1 "{client_name}"',
                                          'negotiate symlist 2 "{auth_type} {mail_addr}"', 'negotiate symlist 3 "{rcpt_addr}"',
                                          'negotiate symlist 4 "i j"', 'negotiate symlist 6 "i {client_addr}"',
                                          'negotiate symlist 5 "i {client_name} j"'] }
asks "macro list for eoh only", { 1 => ['negotiate symlist 6 "i j {client_addr}"'] }
asks "macro list for eom only", { 1 => ['negotiate symlist 5 "i j {client_addr}"'] }
asks "macro list for eom in child 2, eoh in child 1", { 1 => ['negotiate symlist 6 "i j"'], 2 => ['negotiate symlist 5 "{client_addr}"'] }
asks "an empty macro list", { 1 => ['negotiate symlist 2 ""'] }
asks "a macro that does not exist", { 1 => ['negotiate symlist 2 "{nothing} {mail_addr}"'] }
asks "macro list of a declined step", { 1 => ['negotiate symlist 1 "{client_addr}"', "negotiate steps NOHELO"] }
asks "macro list and RCPT_REJ", { 1 => ['negotiate symlist 3 "{rcpt_mailer} {rcpt_addr}"', "negotiate steps RCPT_REJ"] } do
  ehlo; mail; rcpt "refused@example.net"; rcpt; data; quit
end
