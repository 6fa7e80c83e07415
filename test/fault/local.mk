# test/fault - what happens when children, the MTA or the system fail
FAULT_TESTS = \
	test/fault/test-calls \
	test/fault/test-input \
	test/fault/test-steps
check_PROGRAMS += $(FAULT_TESTS)
TESTS += $(FAULT_TESTS)

test_fault_test_calls_SOURCES = test/fault/test-calls.c
test_fault_test_calls_LDADD = $(RIG_LIBS)
test_fault_test_steps_SOURCES = test/fault/test-steps.c
test_fault_test_steps_LDADD = $(RIG_LIBS)
test_fault_test_input_SOURCES = test/fault/test-input.c
test_fault_test_input_LDADD = $(RIG_LIBS)
