# binding/ruby/lib/milter/manager/accounts: accounts from outside, a file for each kind of source
accountsdir = $(managerrubydir)/accounts
dist_accounts_DATA = \
	binding/ruby/lib/milter/manager/accounts/cache.rb \
	binding/ruby/lib/milter/manager/accounts/key.rb \
	binding/ruby/lib/milter/manager/accounts/language.rb \
	binding/ruby/lib/milter/manager/accounts/ldap.rb \
	binding/ruby/lib/milter/manager/accounts/milters_of_user.rb \
	binding/ruby/lib/milter/manager/accounts/pool.rb \
	binding/ruby/lib/milter/manager/accounts/postmap.rb \
	binding/ruby/lib/milter/manager/accounts/redis.rb \
	binding/ruby/lib/milter/manager/accounts/server.rb \
	binding/ruby/lib/milter/manager/accounts/sql.rb \
	binding/ruby/lib/milter/manager/accounts/table.rb \
	binding/ruby/lib/milter/manager/accounts/template.rb
