# frozen_string_literal: true

module Milter
  module Manager
    # The first argument of stoppers: a session as one child's conditions see it.  Most of it is
    # context.c; here is what follows from that.
    class ChildContext
      # TLS facts, as far as the MTA sends them.
      TLS = Struct.new(:version, :cipher, :bits, :subject, :issuer)

      # Both: { sender: […], recipients: { "<a@b>" => […] } }
      def esmtp
        { sender: sender_parameters, recipients: recipient_parameters }
      end

      def queue_id = self["i"]
      def daemon_name = self["daemon_name"]

      # Facts of the encryption, nil without.
      def tls
        version = self["tls_version"]
        return nil if version.nil? || version.empty?

        TLS.new(version, self["cipher"], self["cipher_bits"], self["cert_subject"],
                self["cert_issuer"])
      end

      # Bytes that the client declared (SIZE=), nil when it did not.
      def declared_size
        parameter = sender_parameters.find { |each| each.match?(/\ASIZE=\d+\z/i) }
        parameter && parameter[5..].to_i
      end

      # The larger of what was declared and what has come.
      def size
        [declared_size || 0, seen_size].max
      end

      def postfix?
        self["v"].to_s.include?("Postfix")
      end

      def inspect
        "#<#{self.class} #{name}>"
      end
    end
  end
end
