# frozen_string_literal: true

module Milter
  module Manager
    # The first argument of stoppers: a session as one child's conditions see it.
    #
    # What a block asks for is noted: an answer for which only facts of the session were
    # looked at holds for every child, and is computed once.
    class ChildContext
      # TLS facts, as far as the MTA sends them.
      TLS = Struct.new(:version, :cipher, :bits, :subject, :issuer)

      def initialize(decider, session, index, name)
        @decider = decider
        @session = session
        @index = index
        @name = name
        @own_macros = nil # [value, step] by name
        @new_macros = nil
        @headers = @hidden = nil
        @depth = 0
        watch
      end

      # --- for the engine ---

      attr_reader :index

      def watch
        @personal = false
        @macros_read = false
      end

      # Whether the answer that was just computed holds for OTHER, too.
      def shareable?
        !@personal && !(@macros_read && own_macros?)
      end

      def own_macros?
        !(@own_macros.nil? || @own_macros.empty?)
      end

      attr_reader :macros_read

      def take_macros
        macros = @new_macros
        @new_macros = nil
        macros
      end

      # The question that is being answered.
      def decision=(decision)
        @decision = decision
        @step = decision.step
      end

      # 1 while a combination asks.
      attr_reader :depth

      def in_combination
        @depth = 1
        yield
      ensure
        @depth = 0
        @personal = true # the combination's own answer is
      end

      # What a block says that a combination asks.
      def answer_of(stopper, arguments)
        @decider.answer_of(@decision, self, stopper, arguments)
      end

      def forget_message
        @headers = @hidden = nil
        @own_macros&.delete_if { |_, (_, step)| step > 1 }
      end

      def take_header(name, value)
        (@headers ||= []) << [name, value]
      end

      # The child does not see the recipient that came last.
      def hide_recipient
        (@hidden ||= []) << @session.recipient
      end

      # Those of the message that the child sees.
      def shown_recipients
        @personal = true
        @hidden ? @session.recipients - @hidden : @session.recipients
      end

      # --- for conditions ---

      # The child's name.
      def name
        @personal = true
        @name
      end

      # Value of a macro of the MTA, or that a condition has set; braces are optional.
      def [](macro)
        @macros_read = true
        own = @own_macros && @own_macros[bare(macro)]
        own ? own.first : @session.macro(macro)
      end

      # Set a macro that exactly this child gets, from the command that is being decided on.
      def []=(macro, value)
        @personal = true
        name = bare(macro)
        value = value.to_s.b
        if name.empty? || name.include?("\0") || value.include?("\0")
          raise ArgumentError, "#{macro.inspect} cannot be a macro with the value #{value.inspect}"
        end

        (@own_macros ||= {})[name] = [value.freeze, @step]
        (@new_macros ||= {})[name.length == 1 ? name : "{#{name}}"] = value
      end

      def reject? = status?("r")
      def temporary_failure? = status?("t")
      def accept? = status?("a")
      def discard? = status?("d")

      # Whether it takes no part any more.
      def quitted? = status?("q")

      # The contexts of the children, by name.
      def children
        @personal = true
        @decider.children_of(@session)
      end

      def client_host = @session.host
      def client_address = @session.address
      def helo = @session.helo
      def sender = @session.sender
      def recipients = @session.recipients.dup
      def rejected_recipients = @session.rejected_recipients.dup

      # ESMTP parameters of MAIL, as "KEYWORD=value".
      def sender_parameters = @session.sender_parameters

      # ESMTP parameters of RCPT, by recipient.
      def recipient_parameters = @session.recipient_parameters

      # Both: { sender: […], recipients: { "<a@b>" => […] } }
      def esmtp
        { sender: sender_parameters, recipients: recipient_parameters }
      end

      # [[name, value], …] that this child has been shown.
      def headers
        @personal = true
        @headers ? @headers.dup : []
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

      # Bytes of the message that have come.
      def seen_size = @session.seen

      # The larger of both.
      def size
        [declared_size || 0, seen_size].max
      end

      def authenticated?
        given?(self["auth_type"]) || given?(self["auth_authen"])
      end

      def postfix?
        self["v"].to_s.include?("Postfix")
      end

      # Key/value store that lives as long as the transaction, shared by all children.
      def mail_transaction_shelf
        @personal = true
        @session.shelf
      end

      # Sessions at once, as this worker sees it: its own, times the workers.
      def n_processing_sessions
        @session.n_sessions * @decider.n_workers
      end

      def inspect
        "#<#{self.class} #{@name}>"
      end

      private

      def given?(value)
        !(value.nil? || value.empty?)
      end

      def bare(macro)
        macro = macro.to_s
        macro.start_with?("{") && macro.end_with?("}") ? macro[1..-2] : macro
      end

      def status?(letter)
        @personal = true
        @session.statuses[@index] == letter
      end
    end
  end
end
