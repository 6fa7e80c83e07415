# examples: two milters and an MTA's side, written with the installed headers only
noinst_PROGRAMS += examples/milter-send examples/milter-subject examples/milter-tag

examples_milter_send_SOURCES = examples/mail.c examples/mail.h examples/milter-send.c
examples_milter_send_LDADD = libmilter-server.la libmilter-core.la $(LDADD)
examples_milter_subject_SOURCES = examples/milter-subject.c
examples_milter_subject_LDADD = libmilter-client.la libmilter-core.la $(LDADD)
examples_milter_tag_SOURCES = examples/milter-tag.c
examples_milter_tag_LDADD = libmilter-client.la libmilter-core.la $(LDADD)

# Alone, and against the installed libraries; with the compiler that built those.
EXAMPLES_TESTS = test/examples/test-examples test/examples/test-install test/examples/test-run
TESTS += $(EXAMPLES_TESTS)
AM_TESTS_ENVIRONMENT += \
	EXAMPLES_CC='$(CC) $(SANITIZE_FLAGS) $(COVERAGE_FLAGS)'; export EXAMPLES_CC;
# "make install" writes the libraries anew while it links them: nobody else may use them then.
# (Behind a variable, or automake takes the line for its own rule.)
LAST_TEST_LOG = test/examples/test-install.log
$(LAST_TEST_LOG): $(filter-out $(LAST_TEST_LOG),$(TEST_LOGS))
EXTRA_DIST += $(EXAMPLES_TESTS) test/examples/harness.rb
