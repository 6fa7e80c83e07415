# frozen_string_literal: true

module Milter
  module Manager
    class Detection
      # What milters do, in the order in which they best see a message, and why there.
      module Roles
        REASONS = {
          connection: "checks connection and envelope: what it refuses costs the others nothing",
          spf: "checks SPF: DMARC and spam filters use the result",
          verify: "verifies signatures: while nobody has changed the message, and before DMARC, " \
                  "which uses the result",
          dmarc: "checks DMARC: after SPF and DKIM, whose results it uses",
          greylist: "greylists: before the expensive looks at the content",
          virus: "looks for viruses: infected mail need not be looked at for spam",
          spam: "looks for spam: after all whose results count as points",
          content: "may change the content: after all who want to see it as it came, before signers",
          seal: "seals for ARC: when all results are there and nobody changes the message any more",
          sign: "signs: last, what is changed later breaks the signature"
        }.freeze
        ORDER = REASONS.keys.freeze

        module_function

        def rank(role)
          ORDER.index(role) || ORDER.index(:content)
        end

        def reason(role)
          REASONS.fetch(role) { REASONS.fetch(:content) }
        end
      end
    end
  end
end
