# binding/ruby/lib/milter/manager/detection: finding the system's milters
detectiondir = $(managerrubydir)/detection
dist_detection_DATA = \
	binding/ruby/lib/milter/manager/detection/candidate.rb \
	binding/ruby/lib/milter/manager/detection/roles.rb \
	binding/ruby/lib/milter/manager/detection/root.rb \
	binding/ruby/lib/milter/manager/detection/setting.rb
