# test/bench: the programs of script/bench, built by `make bench-programs`
BENCH_BINARIES = test/bench/bench-load test/bench/bench-child test/bench/bench-worker
if HAVE_LIBMILTER
BENCH_BINARIES += test/bench/bench-libmilter-child
endif
check_PROGRAMS += $(BENCH_BINARIES)
TESTS += test/bench/test-load

test_bench_bench_load_SOURCES = test/bench/load.c test/bench/plan.c test/bench/plan.h \
	test/bench/endpoint.c test/bench/endpoint.h test/bench/stopwatch.c test/bench/stopwatch.h
test_bench_bench_child_SOURCES = test/bench/child.c test/bench/endpoint.c test/bench/endpoint.h
test_bench_bench_worker_SOURCES = test/bench/worker.c test/bench/endpoint.c test/bench/endpoint.h
test_bench_bench_worker_LDADD = libmm.la $(LDADD)
test_bench_bench_libmilter_child_SOURCES = test/bench/libmilter-child.c
test_bench_bench_libmilter_child_LDADD = $(MILTER_LIBS) -lpthread

bench-programs: $(BENCH_BINARIES)
.PHONY: bench-programs

EXTRA_DIST += script/bench test/bench/test-load test/bench/count test/bench/lib/bench.rb \
	test/bench/lib/bench/command.rb test/bench/lib/bench/count.rb \
	test/bench/lib/bench/document.rb test/bench/lib/bench/load.rb test/bench/lib/bench/memory.rb \
	test/bench/lib/bench/processes.rb test/bench/lib/bench/relays.rb \
	test/bench/lib/bench/report.rb test/bench/lib/bench/runner.rb \
	test/bench/lib/bench/scenarios.rb test/bench/lib/bench/statistics.rb
