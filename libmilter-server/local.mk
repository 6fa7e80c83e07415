# libmilter-server: the MTA's side
lib_LTLIBRARIES += libmilter-server.la

libmilter_server_la_SOURCES = \
	libmilter-server/peer.c \
	libmilter-server/policy.c \
	libmilter-server/server.c
libmilter_server_la_LIBADD = libmilter-core.la $(GLIB_LIBS) $(EV_LIBS)
libmilter_server_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined

milter_server_includedir = $(includedir)/milter-manager/libmilter-server
milter_server_include_HEADERS = \
	libmilter-server/peer.h \
	libmilter-server/policy.h \
	libmilter-server/server.h

pkgconfig_DATA += libmilter-server/libmilter-server.pc
