# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # The part of the configuration language for accounts from outside.  A part of Configuration.
      module Language
        # The accounts NAME, made when there are none of that name yet; the block gives them sources.
        def accounts(name)
          name = check_name("accounts", name)
          @accounts ||= {}
          found = @accounts[name] ||= tune(Accounts.new(name, method(:absolute)))
          yield found if block_given?
          found
        end

        # What each account's milters are; condition "Milters of User".
        def milters_of_user
          @milters_of_user ||= tune(MiltersOfUser.new)
        end

        # Show MILTERS only recipients for whom SOURCE names them.
        # @param source [Accounts]
        # @param default [:all, :none, Array<String>] those of recipients of whom it says nothing
        def use_milters_of_user(source, milters: defined_milters, default: :all, fallback: nil)
          name = "Milters of User"
          milters_of_user.source = source
          milters_of_user.default = default unless default == :all
          make_condition(name, milters_of_user, nil) unless @conditions.key?(name)
          @conditions[name].fallback = fallback if fallback
          apply(name, milters)
        end

        # Whether what was said of accounts can be used.
        def settle_accounts
          (@accounts || {}).each_value(&:settle)
          @milters_of_user&.settle(defined_milters)
        end
      end
    end
  end
end
