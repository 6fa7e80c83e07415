# test/fuzz - see README.md
FUZZ_TARGETS = \
	test/fuzz/fuzz-command \
	test/fuzz/fuzz-endpoint \
	test/fuzz/fuzz-frame \
	test/fuzz/fuzz-macros \
	test/fuzz/fuzz-option \
	test/fuzz/fuzz-reply
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += test/fuzz/README.md test/fuzz/make-corpus test/fuzz/run test/fuzz/corpus \
	test/fuzz/dict

if FUZZING
FUZZ_MAIN = test/fuzz/fuzz.h
else
FUZZ_MAIN = test/fuzz/fuzz.h test/fuzz/replay-main.c
TESTS += $(FUZZ_TARGETS)
endif
FUZZ_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_FLAGS)
FUZZ_LIBS = libmilter-core.la $(GLIB_LIBS) $(EV_LIBS)

test_fuzz_fuzz_command_SOURCES = test/fuzz/fuzz-command.c $(FUZZ_MAIN)
test_fuzz_fuzz_command_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_command_LDADD = $(FUZZ_LIBS)
test_fuzz_fuzz_endpoint_SOURCES = test/fuzz/fuzz-endpoint.c $(FUZZ_MAIN)
test_fuzz_fuzz_endpoint_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_endpoint_LDADD = $(FUZZ_LIBS)
test_fuzz_fuzz_frame_SOURCES = test/fuzz/fuzz-frame.c $(FUZZ_MAIN)
test_fuzz_fuzz_frame_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_frame_LDADD = $(FUZZ_LIBS)
test_fuzz_fuzz_macros_SOURCES = test/fuzz/fuzz-macros.c $(FUZZ_MAIN)
test_fuzz_fuzz_macros_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_macros_LDADD = $(FUZZ_LIBS)
test_fuzz_fuzz_option_SOURCES = test/fuzz/fuzz-option.c $(FUZZ_MAIN)
test_fuzz_fuzz_option_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_option_LDADD = $(FUZZ_LIBS)
test_fuzz_fuzz_reply_SOURCES = test/fuzz/fuzz-reply.c $(FUZZ_MAIN)
test_fuzz_fuzz_reply_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_reply_LDADD = $(FUZZ_LIBS)

# Targets whose input is a list of choices: also fed with random bytes by make check.
check_PROGRAMS += test/fuzz/fuzz-message
EXTRA_DIST += test/fuzz/models.h
test_fuzz_fuzz_message_SOURCES = test/fuzz/fuzz-message.c test/fuzz/models.c test/fuzz/models.h \
	$(FUZZ_MAIN)
test_fuzz_fuzz_message_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_message_LDADD = libmm.la $(FUZZ_LIBS)
if !FUZZING
check_PROGRAMS += test/fuzz/random-message
TESTS += test/fuzz/fuzz-message test/fuzz/random-message
endif
test_fuzz_random_message_SOURCES = test/fuzz/fuzz-message.c test/fuzz/models.c \
	test/fuzz/models.h test/fuzz/fuzz.h test/fuzz/random-main.c
test_fuzz_random_message_LDADD = libmm.la $(FUZZ_LIBS)

check_PROGRAMS += test/fuzz/fuzz-relay
RELAY_SOURCES = test/fuzz/fuzz-relay.c test/fuzz/fuzz-relay-child.c test/fuzz/fuzz-relay.h \
	test/fuzz/ledger.c test/fuzz/ledger.h test/fuzz/models.c test/fuzz/models.h
test_fuzz_fuzz_relay_SOURCES = $(RELAY_SOURCES) $(FUZZ_MAIN)
test_fuzz_fuzz_relay_LDFLAGS = $(FUZZ_LDFLAGS)
test_fuzz_fuzz_relay_LDADD = $(RIG_LIBS)
if !FUZZING
check_PROGRAMS += test/fuzz/random-relay
TESTS += test/fuzz/fuzz-relay test/fuzz/random-relay
endif
test_fuzz_random_relay_SOURCES = $(RELAY_SOURCES) test/fuzz/fuzz.h test/fuzz/random-main.c
test_fuzz_random_relay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_RUNS=4000
test_fuzz_random_relay_LDADD = $(RIG_LIBS)
