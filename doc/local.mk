# doc - what people read
# Below docdir as in the source, so that the links between them work there, too.
dist_doc_DATA = README.md CONTRIBUTING.md COPYING COPYING.LESSER
pagesdir = $(docdir)/doc
dist_pages_DATA = doc/ARCHITECTURE.md doc/DIFFERENCES.md doc/PERFORMANCE.md doc/configuration.md \
	doc/detection.md
sampleconfdir = $(docdir)/conf
dist_sampleconf_DATA = conf/milter-manager.conf
samplesdir = $(docdir)/examples
dist_samples_DATA = $(examples_milter_send_SOURCES) $(examples_milter_subject_SOURCES) \
	$(examples_milter_tag_SOURCES)
dist_man_MANS = doc/milter-manager.8
