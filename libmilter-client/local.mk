# libmilter-client: the milter's side
lib_LTLIBRARIES += libmilter-client.la

libmilter_client_la_SOURCES = \
	libmilter-client/client.c \
	libmilter-client/client-edit.c \
	libmilter-client/client-private.h \
	libmilter-client/listener.c \
	libmilter-client/session.c
libmilter_client_la_LIBADD = libmilter-core.la $(GLIB_LIBS) $(EV_LIBS)
libmilter_client_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined

milter_client_includedir = $(includedir)/milter-manager/libmilter-client
milter_client_include_HEADERS = \
	libmilter-client/client.h \
	libmilter-client/listener.h \
	libmilter-client/session.h

pkgconfig_DATA += libmilter-client/libmilter-client.pc
