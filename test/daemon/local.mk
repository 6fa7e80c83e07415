# test/daemon - the real program: its processes, files and configuration

# Accounts from outside
ACCOUNT_TESTS = \
	test/daemon/test-account-faults \
	test/daemon/test-account-recipes \
	test/daemon/test-accounts \
	test/daemon/test-database
TESTS += $(ACCOUNT_TESTS)
EXTRA_DIST += $(ACCOUNT_TESTS) test/daemon/asker.rb

DAEMON_TESTS = test/daemon/test-conditions test/daemon/test-config test/daemon/test-control test/daemon/test-detection test/daemon/test-dns test/daemon/test-explain \
	test/daemon/test-files \
	test/daemon/test-language test/daemon/test-launch test/daemon/test-presence test/daemon/test-processes \
	test/daemon/test-recipients \
	test/daemon/test-waiting test/daemon/test-watch \
	test/daemon/test-detect-page
TESTS += $(DAEMON_TESTS)
EXTRA_DIST += $(DAEMON_TESTS) test/daemon/conditions.rb test/daemon/harness.rb test/daemon/milter.rb test/daemon/packages \
	test/daemon/postfix.rb test/daemon/servers.rb

# What waits, and what goes wrong, in conditions
WAITING_TESTS = \
	test/daemon/test-bad-conditions \
	test/daemon/test-bad-peers \
	test/daemon/test-waiting-computing \
	test/daemon/test-waiting-network \
	test/daemon/test-waiting-ruby
TESTS += $(WAITING_TESTS)
EXTRA_DIST += $(WAITING_TESTS) test/daemon/waiting.rb

# What is configured, as the administrator is told
SHOWN_TESTS = \
	test/daemon/test-recipes \
	test/daemon/test-show-config
TESTS += $(SHOWN_TESTS)
EXTRA_DIST += $(SHOWN_TESTS)
