# src: the daemon
#
# libmm.la is everything but main.c and the Ruby part, so that tests can link it.
noinst_LTLIBRARIES += libmm.la
sbin_PROGRAMS += milter-manager

libmm_la_SOURCES = \
	src/answer.c \
	src/chain.c \
	src/channel.c \
	src/channel.h \
	src/check.c \
	src/child.h \
	src/condition-effect.c \
	src/condition.c \
	src/condition.h \
	src/content.c \
	src/control-request.c \
	src/control-status.c \
	src/control.c \
	src/control.h \
	src/crew.c \
	src/crew.h \
	src/daemonize.c \
	src/daemonize.h \
	src/delivery.c \
	src/dialect.c \
	src/dialect.h \
	src/explain.c \
	src/explain.h \
	src/environment.c \
	src/environment.h \
	src/generation.c \
	src/generation.h \
	src/launcher.c \
	src/launcher.h \
	src/listener.c \
	src/listener.h \
	src/logfile.c \
	src/logfile.h \
	src/manager.c \
	src/manager.h \
	src/member-peer.c \
	src/member-send.c \
	src/member.c \
	src/negotiation.c \
	src/notify.c \
	src/notify.h \
	src/options.c \
	src/options.h \
	src/pidfile.c \
	src/pidfile.h \
	src/presence.c \
	src/presence.h \
	src/privilege.c \
	src/privilege.h \
	src/process.c \
	src/process.h \
	src/reading.c \
	src/recipient.c \
	src/relay-internal.h \
	src/relay.c \
	src/relay.h \
	src/rules.h \
	src/settings-item.c \
	src/settings-literal.c \
	src/settings-pack.c \
	src/settings-table.c \
	src/settings-table.h \
	src/settings-value.c \
	src/settings-value.h \
	src/settings.c \
	src/settings.h \
	src/shadow.c \
	src/show-config.c \
	src/show-config.h \
	src/startup.c \
	src/stats.c \
	src/stats.h \
	src/summary.c \
	src/supervisor-generation.c \
	src/supervisor-private.h \
	src/supervisor-worker.c \
	src/supervisor.c \
	src/supervisor.h \
	src/syslog.c \
	src/syslog.h \
	src/tally.c \
	src/tally.h \
	src/verdict.c \
	src/verdict.h \
	src/watch.c \
	src/watch.h \
	src/worker.c \
	src/worker.h
libmm_la_CPPFLAGS = $(AM_CPPFLAGS) -DCONFIG_DIR='"$(sysconfdir)/milter-manager"'
libmm_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS) $(SYSTEMD_CFLAGS) -pthread
libmm_la_LIBADD = libmilter-client.la libmilter-server.la libmilter-core.la \
	$(GLIB_LIBS) $(JSON_LIBS) $(EV_LIBS) $(SYSTEMD_LIBS) -lpthread

milter_manager_SOURCES = src/main.c
if SANITIZERS
milter_manager_SOURCES += src/sanitizers.c
endif
milter_manager_LDADD = libmm-ruby.la libmm.la $(RUBY_LIBS) $(LDADD)
