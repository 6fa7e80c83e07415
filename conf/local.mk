# conf: what the operator reads and changes
milterconfdir = $(sysconfdir)/milter-manager
dist_milterconf_DATA = conf/milter-manager.conf
conditionsdir = $(milterconfdir)/applicable-conditions
dist_conditions_DATA = \
	conf/applicable-conditions/authentication.conf \
	conf/applicable-conditions/dnsbl.conf \
	conf/applicable-conditions/listener.conf \
	conf/applicable-conditions/milters-of-user.conf \
	conf/applicable-conditions/network-list.conf \
	conf/applicable-conditions/remote-network.conf \
	conf/applicable-conditions/s25r.conf \
	conf/applicable-conditions/sender-list.conf \
	conf/applicable-conditions/sendmail-compatible.conf \
	conf/applicable-conditions/size.conf \
	conf/applicable-conditions/stress.conf \
	conf/applicable-conditions/trust.conf
defaultsdir = $(milterconfdir)/defaults
dist_defaults_DATA = \
	conf/defaults/debian.conf \
	conf/defaults/freebsd.conf \
	conf/defaults/pkgsrc.conf \
	conf/defaults/redhat.conf
modelsdir = $(milterconfdir)/models
dist_models_DATA = conf/models/example.rb

uninstall-hook:
	-rmdir '$(DESTDIR)$(pagesdir)' '$(DESTDIR)$(sampleconfdir)' '$(DESTDIR)$(samplesdir)' \
		'$(DESTDIR)$(docdir)'
	-rmdir '$(DESTDIR)$(milterconfdir)/applicable-conditions' \
		'$(DESTDIR)$(milterconfdir)/defaults' '$(DESTDIR)$(milterconfdir)/models' \
		'$(DESTDIR)$(milterconfdir)'

if SYSTEMD_UNIT
nodist_systemdsystemunit_DATA = conf/milter-manager.service
endif
CLEANFILES += conf/milter-manager.service
EXTRA_DIST += conf/milter-manager.service.in
conf/milter-manager.service: $(srcdir)/conf/milter-manager.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && sed 's,@sbindir[@],$(sbindir),' $(srcdir)/conf/milter-manager.service.in > $@
