# binding/ruby/lib/milter/manager/mta: the configuration of the MTAs of this machine
mtadir = $(managerrubydir)/mta
dist_mta_DATA = \
	binding/ruby/lib/milter/manager/mta/condition_macros.rb \
	binding/ruby/lib/milter/manager/mta/postfix.rb \
	binding/ruby/lib/milter/manager/mta/postfix_files.rb \
	binding/ruby/lib/milter/manager/mta/sendmail.rb \
	binding/ruby/lib/milter/manager/mta/service.rb
