# test/detect - what detection finds in trees of files
DETECT_TESTS = test/detect/test-failures test/detect/test-readers test/detect/test-trees test/detect/test-units
TESTS += $(DETECT_TESTS)
EXTRA_DIST += $(DETECT_TESTS) test/detect/support.rb \
	test/detect/trees/debian-12.tree \
	test/detect/trees/debian-init.tree \
	test/detect/trees/debian-off.tree \
	test/detect/trees/freebsd-old.tree \
	test/detect/trees/freebsd.tree \
	test/detect/trees/pkgsrc.tree \
	test/detect/trees/redhat-init.tree \
	test/detect/trees/redhat.tree
