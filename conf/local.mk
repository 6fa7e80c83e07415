# conf: what the operator reads and changes
milterconfdir = $(sysconfdir)/milter-manager
dist_milterconf_DATA = conf/milter-manager.conf

install-data-hook:
	$(MKDIR_P) '$(DESTDIR)$(milterconfdir)/applicable-conditions' \
		'$(DESTDIR)$(milterconfdir)/defaults'

uninstall-hook:
	-rmdir '$(DESTDIR)$(milterconfdir)/applicable-conditions' \
		'$(DESTDIR)$(milterconfdir)/defaults' '$(DESTDIR)$(milterconfdir)'
