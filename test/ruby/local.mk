# test/ruby - the Ruby part without the daemon
RUBY_TESTS = test/ruby/test-connect-conditions
TESTS += $(RUBY_TESTS)
EXTRA_DIST += $(RUBY_TESTS) test/ruby/support.rb
