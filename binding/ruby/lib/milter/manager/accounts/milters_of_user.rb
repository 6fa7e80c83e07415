# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # Which milters apply to the mail of which recipient, as a source of accounts says.
      class MiltersOfUser < Tunable
        MAX_COMPLAINTS = 100

        def initialize
          super("milters_of_user")
          @source = nil
          @default = :all
          @names = nil
          @complaints = {}
        end

        # Where each account's milters are named.
        def source=(accounts)
          wrong(:source, accounts, "accounts(\"…\")") unless accounts.is_a?(Accounts)
          @source = accounts
          note_set(:source, accounts)
        end

        # For recipients of whom the source says nothing: :all, :none or names.
        def default=(milters)
          unless %i[all none].include?(milters) || (milters.is_a?(Array) && milters.all?(String))
            wrong(:default, milters, ":all, :none or an array of milters' names")
          end
          @default = milters
          note_set(:default, milters)
        end

        # Whether MILTER applies to mail for RECIPIENT.
        def apply?(milter, recipient)
          words = @source&.words(recipient)
          return default?(milter) unless words

          check(words, recipient)
          words.any? { |word| word.casecmp?(milter) }
        end

        # For the end of loading.
        # @param names [Array<String>] all milters
        def settle(names)
          @names = names.map { |name| name.downcase(:fold) }
          Array(@default.is_a?(Array) ? @default : nil).each do |name|
            next if names.include?(name)

            raise ConfigurationError, "milters_of_user.default: there is no milter #{name.inspect}; " \
                                      "known are #{names.join(', ')}"
          end
        end

        def define_stoppers(condition)
          condition.description ||= "Apply a milter only to recipients who have chosen it"
          condition.define_recipient_selector { |context, recipient| apply?(context.name, recipient) }
        end

        private

        def defaults
          { source: nil, default: :all }
        end

        def default?(milter)
          @default.is_a?(Array) ? @default.include?(milter) : @default == :all
        end

        # A word that names nothing would leave mail unfiltered in silence.
        def check(words, recipient)
          words.each do |word|
            next if @names.include?(word.downcase(:fold)) || @complaints.size >= MAX_COMPLAINTS || @complaints[word]

            @complaints[word] = true
            Milter::Logger.warning("#{@source.inspect} names #{word.dump} for #{recipient.b.dump}: there is no such milter")
          end
        end
      end
    end
  end
end
