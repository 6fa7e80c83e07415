# test/ruby - the Ruby part without the daemon, and its conditions in it
RUBY_TESTS = \
	test/ruby/test-combinations \
	test/ruby/test-connect-conditions \
	test/ruby/test-dnsbl \
	test/ruby/test-message-conditions \
	test/ruby/test-mta \
	test/ruby/test-postfix-tables \
	test/daemon/test-guide \
	test/daemon/test-shipped-conditions
TESTS += $(RUBY_TESTS)
EXTRA_DIST += $(RUBY_TESTS) test/ruby/name_server.rb test/ruby/support.rb
