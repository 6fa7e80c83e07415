# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # A text with %s for an account, %u for its user, %d for its domain and %% for "%": Postfix's
      # letters.
      module Template
        TOKEN = /%([sud%])/

        module_function

        # TEMPLATE for TEXT, an Key::Text; nil if it wants a domain and there is none.
        # @yield [part] what is put in, to be escaped
        def expand(template, text)
          parts = { "s" => text.whole, "u" => text.user, "d" => text.domain }
          template.gsub(TOKEN) do
            letter = Regexp.last_match(1)
            next "%" if letter == "%"

            part = parts.fetch(letter) or return nil
            block_given? ? yield(part) : part
          end
        end

        # Whether the account is part of what comes out.
        def uses_key?(template)
          template.scan(TOKEN).flatten.any? { |letter| letter != "%" }
        end
      end
    end
  end
end
