# test/e2e - real MTAs and real milters

if HAVE_LIBMILTER
check_PROGRAMS += test/e2e/milters/scripted
endif

test_e2e_milters_scripted_SOURCES = \
	test/e2e/milters/action.c \
	test/e2e/milters/action.h \
	test/e2e/milters/record.c \
	test/e2e/milters/record.h \
	test/e2e/milters/script.c \
	test/e2e/milters/script.h \
	test/e2e/milters/scripted.c \
	test/e2e/milters/wire.c \
	test/e2e/milters/wire.h
test_e2e_milters_scripted_LDADD = $(GLIB_LIBS) $(MILTER_LIBS) -lpthread
