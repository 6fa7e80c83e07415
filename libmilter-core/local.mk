# libmilter-core: wire format and transport
lib_LTLIBRARIES += libmilter-core.la

libmilter_core_la_SOURCES = \
	libmilter-core/buffer.c \
	libmilter-core/command.c \
	libmilter-core/spool.c \
	libmilter-core/message.c \
	libmilter-core/conn.c \
	libmilter-core/loop.c \
	libmilter-core/endpoint.c \
	libmilter-core/frame.c \
	libmilter-core/log.c \
	libmilter-core/macros.c \
	libmilter-core/option.c \
	libmilter-core/protocol.c \
	libmilter-core/reply.c \
	libmilter-core/state.c \
	libmilter-core/sys.c \
	libmilter-core/tcp-table.c
libmilter_core_la_LIBADD = $(GLIB_LIBS) $(EV_LIBS)
libmilter_core_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined

milter_core_includedir = $(includedir)/milter-manager/libmilter-core
milter_core_include_HEADERS = \
	libmilter-core/buffer.h \
	libmilter-core/command.h \
	libmilter-core/spool.h \
	libmilter-core/message.h \
	libmilter-core/conn.h \
	libmilter-core/loop.h \
	libmilter-core/endpoint.h \
	libmilter-core/frame.h \
	libmilter-core/log.h \
	libmilter-core/macros.h \
	libmilter-core/option.h \
	libmilter-core/protocol.h \
	libmilter-core/reply.h \
	libmilter-core/state.h \
	libmilter-core/sys.h \
	libmilter-core/tcp-table.h

pkgconfig_DATA += libmilter-core/libmilter-core.pc
