# doc - what people read
dist_doc_DATA = README.md doc/ARCHITECTURE.md doc/DIFFERENCES.md doc/PERFORMANCE.md \
	doc/configuration.md doc/detection.md
dist_man_MANS = doc/milter-manager.8
