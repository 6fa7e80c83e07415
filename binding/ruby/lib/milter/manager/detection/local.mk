# binding/ruby/lib/milter/manager/detection: finding the system's milters
detectiondir = $(managerrubydir)/detection
dist_detection_DATA = \
	binding/ruby/lib/milter/manager/detection/candidate.rb \
	binding/ruby/lib/milter/manager/detection/config_file.rb \
	binding/ruby/lib/milter/manager/detection/environment_file.rb \
	binding/ruby/lib/milter/manager/detection/init_scripts.rb \
	binding/ruby/lib/milter/manager/detection/kind.rb \
	binding/ruby/lib/milter/manager/detection/kinds.rb \
	binding/ruby/lib/milter/manager/detection/options.rb \
	binding/ruby/lib/milter/manager/detection/other_kind.rb \
	binding/ruby/lib/milter/manager/detection/rc_scripts.rb \
	binding/ruby/lib/milter/manager/detection/roles.rb \
	binding/ruby/lib/milter/manager/detection/root.rb \
	binding/ruby/lib/milter/manager/detection/rspamd_file.rb \
	binding/ruby/lib/milter/manager/detection/service.rb \
	binding/ruby/lib/milter/manager/detection/setting.rb \
	binding/ruby/lib/milter/manager/detection/shell.rb \
	binding/ruby/lib/milter/manager/detection/shell_expansion.rb \
	binding/ruby/lib/milter/manager/detection/shell_lexer.rb \
	binding/ruby/lib/milter/manager/detection/shell_parser.rb \
	binding/ruby/lib/milter/manager/detection/shell_test.rb \
	binding/ruby/lib/milter/manager/detection/socket_finder.rb \
	binding/ruby/lib/milter/manager/detection/socket_spec.rb \
	binding/ruby/lib/milter/manager/detection/ucl.rb \
	binding/ruby/lib/milter/manager/detection/unit.rb \
	binding/ruby/lib/milter/manager/detection/unit_file.rb \
	binding/ruby/lib/milter/manager/detection/unit_services.rb \
	binding/ruby/lib/milter/manager/detection/unit_words.rb \
	binding/ruby/lib/milter/manager/detection/units.rb
