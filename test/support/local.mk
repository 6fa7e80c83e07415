# test/support - what the protocol tests share
check_LTLIBRARIES += test/support/librig.la

test_support_librig_la_SOURCES = \
	test/support/calls.c \
	test/support/calls.h \
	test/support/packet.c \
	test/support/packet.h \
	test/support/rig-ends.c \
	test/support/rig-private.h \
	test/support/rig-rules.c \
	test/support/rig-steps.c \
	test/support/rig-steps.h \
	test/support/rig.c \
	test/support/rig.h \
	test/support/script-private.h \
	test/support/script-settings.c \
	test/support/script.c \
	test/support/script.h \
	test/support/step-names.h
test_support_librig_la_LIBADD = libmm.la
RIG_LIBS = test/support/librig.la $(GLIB_LIBS) $(EV_LIBS)
