# binding/ruby/lib/milter/manager/diagnosis: what --detect looks at and prints
diagnosisdir = $(managerrubydir)/diagnosis
dist_diagnosis_DATA = \
	binding/ruby/lib/milter/manager/diagnosis/access.rb \
	binding/ruby/lib/milter/manager/diagnosis/call_checks.rb \
	binding/ruby/lib/milter/manager/diagnosis/child_checks.rb \
	binding/ruby/lib/milter/manager/diagnosis/entry.rb \
	binding/ruby/lib/milter/manager/diagnosis/page.rb \
	binding/ruby/lib/milter/manager/diagnosis/probe.rb \
	binding/ruby/lib/milter/manager/diagnosis/setting_checks.rb
