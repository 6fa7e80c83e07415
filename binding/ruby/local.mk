# binding/ruby: the only place with ruby.h
noinst_LTLIBRARIES += libmm-ruby.la

libmm_ruby_la_SOURCES = \
	binding/ruby/answers.c \
	binding/ruby/answers.h \
	binding/ruby/context.c \
	binding/ruby/context.h \
	binding/ruby/convert.c \
	binding/ruby/convert.h \
	binding/ruby/decide.c \
	binding/ruby/decide.h \
	binding/ruby/decision.c \
	binding/ruby/decision.h \
	binding/ruby/embed.c \
	binding/ruby/explain.c \
	binding/ruby/explain.h \
	binding/ruby/fibers.c \
	binding/ruby/fibers.h \
	binding/ruby/gate.c \
	binding/ruby/gate.h \
	binding/ruby/native.c \
	binding/ruby/native.h \
	binding/ruby/nudge.c \
	binding/ruby/nudge.h \
	binding/ruby/packets.c \
	binding/ruby/packets.h \
	binding/ruby/session.c \
	binding/ruby/session.h \
	binding/ruby/stoppers.c \
	binding/ruby/stoppers.h
libmm_ruby_la_CPPFLAGS = $(AM_CPPFLAGS) -DRUBYLIB_DIR='"$(pkgdatadir)/ruby"'
# Ruby's headers have names that shadow each other, and parameters they do not use.
libmm_ruby_la_CFLAGS = $(AM_CFLAGS) $(RUBY_SANITIZE_FLAGS) $(subst -I,-isystem ,$(RUBY_CFLAGS))
libmm_ruby_la_LIBADD = $(GLIB_LIBS) $(EV_LIBS) $(RUBY_LIBS)

milterrubydir = $(pkgdatadir)/ruby/milter
dist_milterruby_DATA = \
	binding/ruby/lib/milter/logger.rb \
	binding/ruby/lib/milter/socket_address.rb \
	binding/ruby/lib/milter/manager.rb
managerrubydir = $(pkgdatadir)/ruby/milter/manager
dist_managerruby_DATA = \
	binding/ruby/lib/milter/manager/child_settings.rb \
	binding/ruby/lib/milter/manager/condition.rb \
	binding/ruby/lib/milter/manager/configuration.rb \
	binding/ruby/lib/milter/manager/connection_checks.rb \
	binding/ruby/lib/milter/manager/context.rb \
	binding/ruby/lib/milter/manager/database.rb \
	binding/ruby/lib/milter/manager/database_fibers.rb \
	binding/ruby/lib/milter/manager/decider.rb \
	binding/ruby/lib/milter/manager/detect_group.rb \
	binding/ruby/lib/milter/manager/detect_settling.rb \
	binding/ruby/lib/milter/manager/detection.rb \
	binding/ruby/lib/milter/manager/errors.rb \
	binding/ruby/lib/milter/manager/event_loop.rb \
	binding/ruby/lib/milter/manager/failure.rb \
	binding/ruby/lib/milter/manager/groups.rb \
	binding/ruby/lib/milter/manager/hooks.rb \
	binding/ruby/lib/milter/manager/item_group.rb \
	binding/ruby/lib/milter/manager/library.rb \
	binding/ruby/lib/milter/manager/load_guard.rb \
	binding/ruby/lib/milter/manager/maintenance.rb \
	binding/ruby/lib/milter/manager/plan.rb \
	binding/ruby/lib/milter/manager/scheduler.rb \
	binding/ruby/lib/milter/manager/source.rb \
	binding/ruby/lib/milter/manager/spelling.rb \
	binding/ruby/lib/milter/manager/threads.rb \
	binding/ruby/lib/milter/manager/waiting.rb \
	binding/ruby/lib/milter/manager/waiting_files.rb \
	binding/ruby/lib/milter/manager/waiting_sqlite.rb \
	binding/ruby/lib/milter/manager/watchdog.rb
