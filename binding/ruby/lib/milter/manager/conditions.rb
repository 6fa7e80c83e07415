# frozen_string_literal: true

# What the built-in conditions are made of.
%w[
  secret
  address_set matcher envelope_address watched_file list_file condition_state tunable tunable_list
  s25r remote_network trust mta_limits stress socket_table sendmail_macros
  dns_client dns_cache name_servers dnsbl
  combination_progress combination score policy policies restrict_accounts account_list
  postfix_access_keys postfix_table_lines postfix_table postfix_cidr_table posix_pattern
  postfix_regexp_table postfix_access_table
  listener size_range network_list sender_list condition_language
  accounts
].each { |name| require "milter/manager/#{name}" }
