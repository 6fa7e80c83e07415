# test/unit - one module at a time
UNIT_TESTS = \
	test/unit/test-buffer \
	test/unit/test-command \
	test/unit/test-endpoint \
	test/unit/test-frame \
	test/unit/test-log \
	test/unit/test-macros \
	test/unit/test-option \
	test/unit/test-protocol \
	test/unit/test-reply \
	test/unit/test-state
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS) test/unit/lint
EXTRA_DIST += test/unit/lint

CORE_TEST_LIBS = libmilter-core.la $(GLIB_LIBS) $(EV_LIBS)

test_unit_test_buffer_SOURCES = test/unit/test-buffer.c
test_unit_test_buffer_LDADD = $(CORE_TEST_LIBS)
test_unit_test_command_SOURCES = test/unit/test-command.c test/unit/support.h
test_unit_test_command_LDADD = $(CORE_TEST_LIBS)
test_unit_test_endpoint_SOURCES = test/unit/test-endpoint.c
test_unit_test_endpoint_LDADD = $(CORE_TEST_LIBS)
test_unit_test_frame_SOURCES = test/unit/test-frame.c
test_unit_test_frame_LDADD = $(CORE_TEST_LIBS)
test_unit_test_log_SOURCES = test/unit/test-log.c
test_unit_test_log_LDADD = $(CORE_TEST_LIBS)
test_unit_test_macros_SOURCES = test/unit/test-macros.c test/unit/support.h
test_unit_test_macros_LDADD = $(CORE_TEST_LIBS)
test_unit_test_option_SOURCES = test/unit/test-option.c test/unit/support.h
test_unit_test_option_LDADD = $(CORE_TEST_LIBS)
test_unit_test_protocol_SOURCES = test/unit/test-protocol.c
test_unit_test_protocol_LDADD = $(CORE_TEST_LIBS)
test_unit_test_reply_SOURCES = test/unit/test-reply.c test/unit/support.h
test_unit_test_reply_LDADD = $(CORE_TEST_LIBS)
test_unit_test_state_SOURCES = test/unit/test-state.c
test_unit_test_state_LDADD = $(CORE_TEST_LIBS)

# the daemon's processes and settings
check_PROGRAMS += test/unit/test-processes test/unit/test-settings test/unit/test-tally \
	test/unit/test-tcp-table
TESTS += test/unit/test-processes test/unit/test-settings test/unit/test-tally \
	test/unit/test-tcp-table
test_unit_test_processes_SOURCES = test/unit/test-processes.c
test_unit_test_processes_LDADD = libmm.la $(LDADD)
test_unit_test_settings_SOURCES = test/unit/test-settings.c
test_unit_test_settings_LDADD = libmm.la $(LDADD)
test_unit_test_tally_SOURCES = test/unit/test-tally.c
test_unit_test_tally_LDADD = libmm.la $(LDADD)
test_unit_test_tcp_table_SOURCES = test/unit/test-tcp-table.c
test_unit_test_tcp_table_LDADD = libmm.la $(LDADD)

# the public sides: write a milter, drive a milter
PUBLIC_TESTS = \
	test/unit/test-client \
	test/unit/test-client-edit \
	test/unit/test-client-run \
	test/unit/test-server
check_PROGRAMS += $(PUBLIC_TESTS)
TESTS += $(PUBLIC_TESTS)
WITNESS = test/unit/witness.c test/unit/witness.h
DIALOGUE = test/unit/dialogue.c test/unit/dialogue.h $(WITNESS)
test_unit_test_client_edit_SOURCES = test/unit/test-client-edit.c $(DIALOGUE)
test_unit_test_client_edit_LDADD = libmilter-client.la libmilter-core.la $(LDADD)
test_unit_test_client_run_SOURCES = test/unit/test-client-run.c
test_unit_test_client_run_LDADD = libmilter-client.la libmilter-core.la $(LDADD)
test_unit_test_client_SOURCES = test/unit/test-client.c $(DIALOGUE)
test_unit_test_client_LDADD = libmilter-client.la libmilter-core.la $(LDADD)
test_unit_test_server_SOURCES = test/unit/test-server.c $(WITNESS)
test_unit_test_server_LDADD = libmilter-client.la libmilter-server.la libmilter-core.la $(LDADD)

# transport, and the relay
RELAY_TESTS = \
	test/unit/test-conn \
	test/unit/test-dialect \
	test/unit/test-loop \
	test/unit/test-message \
	test/unit/test-peer \
	test/unit/test-relay \
	test/unit/test-session \
	test/unit/test-spool \
	test/unit/test-verdict
check_PROGRAMS += $(RELAY_TESTS)
TESTS += $(RELAY_TESTS)
test_unit_test_conn_SOURCES = test/unit/test-conn.c
test_unit_test_conn_LDADD = $(RIG_LIBS)
test_unit_test_dialect_SOURCES = test/unit/test-dialect.c
test_unit_test_dialect_LDADD = $(RIG_LIBS)
test_unit_test_loop_SOURCES = test/unit/test-loop.c
test_unit_test_loop_LDADD = $(CORE_TEST_LIBS)
test_unit_test_message_SOURCES = test/unit/test-message.c
test_unit_test_message_LDADD = $(CORE_TEST_LIBS)
test_unit_test_peer_SOURCES = test/unit/test-peer.c
test_unit_test_peer_LDADD = $(RIG_LIBS)
test_unit_test_relay_SOURCES = test/unit/test-relay.c
test_unit_test_relay_LDADD = $(RIG_LIBS)
test_unit_test_session_SOURCES = test/unit/test-session.c
test_unit_test_session_LDADD = $(RIG_LIBS)
test_unit_test_spool_SOURCES = test/unit/test-spool.c
test_unit_test_spool_LDADD = $(CORE_TEST_LIBS)
test_unit_test_verdict_SOURCES = test/unit/test-verdict.c
test_unit_test_verdict_LDADD = libmm.la $(CORE_TEST_LIBS)
