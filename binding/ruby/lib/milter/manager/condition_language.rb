# frozen_string_literal: true

module Milter
  module Manager
    # The part of the configuration language for conditions: the objects that tune the
    # built-in ones, and functions that make conditions of others.  A part of Configuration.
    module ConditionLanguage
      # Look-alike host names; condition "S25R".
      def s25r
        @s25r ||= tune(S25R.new)
      end

      # Networks of one's own; condition "Remote Network".
      def remote_network
        @remote_network ||= tune(RemoteNetwork.new)
      end

      # Load; conditions "Stress Notify" and "No Stress".
      def stress
        @stress ||= tune(Stress.new)
      end

      # Trusted senders; condition "Trust".
      def trust
        @trust ||= tune(Trust.new(method(:absolute)))
      end

      # DNS lists; conditions "DNSBL Listed" and "Not DNSBL Listed".
      def dnsbl
        @dnsbl ||= tune(DNSBL.new)
      end

      # Macros of Sendmail; condition "Sendmail Compatible".
      def sendmail_macros
        @sendmail_macros ||= SendmailMacros.new
      end

      # Listeners of the MTA; the condition NAME is made when it is not there yet.
      def listener(name)
        tuned_condition("listener", name) { Listener.new(name) }
      end

      # Sizes of messages, the same way.
      def size(name = "Size")
        tuned_condition("size", name) { SizeRange.new(name) }
      end

      # Lists of clients' addresses, the same way.
      def network_list(name = "Network List")
        tuned_condition("network_list", name) { NetworkList.new(name, method(:absolute)) }
      end

      # Lists of senders, the same way.
      def sender_list(name = "Sender List")
        tuned_condition("sender_list", name) { SenderList.new(name, method(:absolute)) }
      end

      # A condition that holds while all, any or none of others hold; its name.
      def all_of(*conditions, name: nil)
        combine("all_of", AllOf, conditions, name)
      end

      def any_of(*conditions, name: nil)
        combine("any_of", AnyOf, conditions, name)
      end

      def none_of(*conditions, name: nil)
        combine("none_of", NoneOf, conditions, name)
      end

      # A condition that holds where another does not.  A bare not("X") is Ruby's own word and
      # false: write self.not("X") or none_of("X").
      define_method(:not) { |condition, name: nil| none_of(condition, name: name) }

      # A condition that holds when the weights of those that hold at connect reach the
      # threshold: score("S25R" => 2, "DNSBL Listed" => 3, threshold: 3); its name.
      def score(threshold:, name: nil, **weights)
        check_weights(weights, threshold)
        names = weights.keys.map { |each| name_of_condition("score", each) }
        arguments = "#{names.zip(weights.values).map { |each, weight| "#{each.dump} => #{weight}" }.join(', ')}, " \
                    "threshold: #{threshold}"
        name = note_combination("score", arguments, name)
        make_combination("score", name, names, "Apply a milter when weights of conditions reach #{threshold}") do |members|
          Score.new(members.zip(weights.values), threshold)
        end
      end

      # Show MILTERS only messages all of whose recipients are in a list.
      # @param fallback [Symbol, nil] of the condition, for accounts that cannot be looked up
      def restrict_accounts_by_list(*matchers, **more)
        options = restriction("restrict_accounts_by_list", matchers.last.is_a?(Hash) ? matchers.pop : {}, more)
        raise ConfigurationError, "restrict_accounts_by_list needs at least one account" if matchers.empty?

        accounts = AccountList.new(matchers)
        options[:condition_name] ||= "Restrict Accounts by List"
        restrict_accounts_generic(options) { |_context, recipient| accounts.include?(recipient) }
      rescue ArgumentError => error
        raise ConfigurationError, "restrict_accounts_by_list: #{error.message}"
      end

      # Show children only messages for all of whose recipients the block is true.
      def restrict_accounts_generic(options = {}, **more, &block)
        options = restriction("restrict_accounts_generic", options, more)
        raise ConfigurationError, "restrict_accounts_generic needs a block" unless block

        name = options[:condition_name] || "Restrict Accounts"
        make_condition(name, RestrictAccounts.new(&block),
                       "Apply a milter only when all recipients are certain accounts")
        @conditions[name.to_s].fallback = options[:fallback] if options[:fallback]
        apply(name, options[:milters] || defined_milters)
      end

      # Let children take part only in sessions that fit: see Policy.
      def define_policy(name)
        policy = Policy.new(check_name("define_policy", name))
        yield policy if block_given?
        @policies ||= Policies.new.tap do |policies|
          make_condition(Policies::CONDITION, policies, "Apply a milter where one of its policies fits")
        end
        milters = policy.milters || defined_milters
        @policies.add(policy, milters)
        apply(Policies::CONDITION, milters)
      end

      # Everything is known: conditions that are made of others, and the settings that conditions
      # need; sessions cannot read them.
      def settle_conditions
        @conditions.each_value { |condition| settle_combination(condition) }
        stress.settle(manager.max_connections)
      end

      # For --show-config: the objects that tune conditions, in use.
      def tunables
        @tunables || []
      end

      private

      # Options of FUNCTION, as a hash or with names.
      def restriction(function, options, more)
        raise ConfigurationError, "#{function}: #{options.inspect} is not a hash of options" unless options.is_a?(Hash)

        options = options.merge(more)
        unknown = options.keys - %i[condition_name milters fallback]
        return options if unknown.empty?

        raise ConfigurationError, "#{function}: no option #{unknown.first.inspect}; " \
                                  "it has condition_name, milters and fallback"
      end

      def tune(tunable)
        (@tunables ||= []) << tunable
        tunable
      end

      def tuned_condition(word, name)
        check_name(word, name)
        @tuned_conditions ||= {}
        tunable = @tuned_conditions[[word, name]]
        return tunable if tunable

        tunable = @tuned_conditions[[word, name]] = tune(yield)
        make_condition(name, tunable, nil) unless @conditions.key?(name)
        tunable
      end

      def combine(word, kind, conditions, name)
        conditions = conditions.flatten
        raise ConfigurationError, "#{word} needs the names of conditions" if conditions.empty?

        names = conditions.map { |each| name_of_condition(word, each) }
        name = note_combination(word, names.map(&:dump).join(", "), name)
        description = "Apply a milter where #{word.tr('_', ' ')} hold: #{names.join(', ')}"
        make_combination(word, name, names, description) { |members| kind.new(members) }
      end

      # A condition made of those called NAMES, whatever these are when everything has been loaded.
      # The block makes an object with #define_stoppers of them.
      def make_combination(word, name, names, description, &made_of)
        condition = new_condition(name)
        condition.description = description
        (@unsettled ||= {}.compare_by_identity)[condition] = [word, names, made_of]
        @conditions[condition.name] = condition
        name.to_s
      end

      # ABOVE: the conditions that are being made of it.
      def settle_combination(condition, above = [])
        word, names, made_of = @unsettled && @unsettled[condition]
        return condition unless word
        raise ConfigurationError, "#{word}: #{condition.inspect} is made of itself" if above.include?(condition)

        members = names.map { |each| settle_combination(condition_named(word, each), [*above, condition]) }
        @unsettled.delete(condition)
        Source.at(condition.origin) { made_of.call(members).define_stoppers(condition) }
        condition
      rescue ConfigurationError => error
        raise error.location ? error : ConfigurationError.new(error.message, condition.origin)
      end

      def make_condition(name, made_of, description)
        condition = new_condition(name)
        condition.description = description
        made_of.define_stoppers(condition)
        @conditions[condition.name] = condition
        name.to_s
      end

      # The name of the condition that WORD(ARGUMENTS) makes.
      def note_combination(word, arguments, name)
        journal.add("#{word}(#{arguments}#{", name: #{name.to_s.dump}" if name})")
        name || "#{word}(#{arguments})"
      end

      def name_of_condition(word, name)
        return name.to_s if name.is_a?(String) || name.is_a?(Symbol)

        hint = name == false ? " (a bare not(…) is Ruby's own word: write none_of(…))" : ""
        raise ConfigurationError, "#{word}: there is no applicable condition #{name.inspect}#{hint}; " \
                                  "#{known(@conditions.keys)}"
      end

      def condition_named(word, name)
        @conditions.fetch(name) do
          raise ConfigurationError, "#{word}: there is no applicable condition #{name.inspect}; " \
                                    "#{known(@conditions.keys)}"
        end
      end

      def check_weights(weights, threshold)
        raise ConfigurationError, "score needs conditions with weights" if weights.empty?

        [*weights.values, threshold].each do |number|
          next if number.is_a?(Numeric) && number.real?

          raise ConfigurationError, "score: #{number.inspect} is not a number"
        end
      end

      def apply(condition, milters)
        Array(milters).each do |milter|
          unless defined_milters.include?(milter.to_s)
            raise ConfigurationError, "there is no milter #{milter.to_s.inspect}; #{known(defined_milters)}"
          end

          define_milter(milter) { |each| each.add_applicable_condition(condition) }
        end
        condition
      end
    end
  end
end
