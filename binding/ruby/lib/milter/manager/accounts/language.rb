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
        # @param milters [Array<String>, nil] nil: all that there are when everything is loaded
        # @param default [:all, :none, Array<String>] those of recipients of whom it says nothing
        def use_milters_of_user(source, milters: nil, default: :all, fallback: nil)
          name = "Milters of User"
          milters_of_user.source = source
          milters_of_user.default = default unless default == :all
          make_condition(name, milters_of_user, nil) unless @conditions.key?(name)
          @conditions[name].fallback = fallback if fallback
          return apply(name, milters) if milters

          @user_of_all = Source.here
          name
        end

        # Finish what waited for all children, and check whether what was said of accounts can be used.
        def settle_accounts
          (@accounts || {}).each_value(&:settle)
          Source.at(@user_of_all) { apply("Milters of User", defined_milters) } if @user_of_all
          @milters_of_user&.settle(defined_milters)
        end
      end
    end
  end
end
