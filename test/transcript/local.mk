# test/transcript - what the MTA says, what each child sees, what the MTA gets
include $(srcdir)/test/support/local.mk

check_PROGRAMS += test/transcript/test-transcripts
TESTS += test/transcript/test-transcripts
EXTRA_DIST += test/transcript/README.md $(srcdir)/test/transcript/*.mtx

test_transcript_test_transcripts_SOURCES = test/transcript/test-transcripts.c
test_transcript_test_transcripts_LDADD = $(RIG_LIBS)
