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
	test/e2e/milters/wire.h \
	test/support/step-names.h
test_e2e_milters_scripted_LDADD = $(GLIB_LIBS) $(MILTER_LIBS) -lpthread

# These skip themselves where root, a server or a milter is missing.
test_e2e_checks = \
	test/e2e/check-detection \
	test/e2e/check-harness \
	test/e2e/check-postfix \
	test/e2e/check-random-postfix \
	test/e2e/check-random-sendmail \
	test/e2e/check-real-milters \
	test/e2e/check-recipients \
	test/e2e/check-sendmail
TESTS += $(test_e2e_checks)

EXTRA_DIST += \
	$(test_e2e_checks) \
	$(srcdir)/test/e2e/lib/*.rb \
	$(srcdir)/test/e2e/scenarios/*.rb \
	test/e2e/lib/private-machine \
	test/e2e/packages \
	test/e2e/run-tests

clean-local: clean-e2e
clean-e2e:
	rm -rf test/e2e/sendmail-files
.PHONY: clean-e2e
