# frozen_string_literal: true

module Milter
  module Manager
    # What the MTA has said of a session so far: filled from the packets that come with a
    # question, read through ChildContext.  All text is bytes.
    class Session
      # Commands from the latest to the earliest: where a macro is looked for first.
      STAGES = %w[E N T R M H C].map(&:ord).freeze
      OF_MESSAGE = %w[E N T R M].map(&:ord).freeze
      CONNECT, HELO, MAIL, RCPT, DATA, MACRO, ABORT, REFUSED, DEFERRED = "CHMRTDA-=".bytes

      # recipient: the one that came last, whatever became of it.
      attr_reader :id, :host, :address, :helo, :sender, :sender_parameters, :recipient, :recipients,
                  :rejected_recipients, :recipient_parameters, :contexts, :transaction
      attr_accessor :statuses, :n_sessions, :seen

      def initialize(id)
        @id = id
        @macros = {}
        @parsed = {}
        @contexts = {}
        @transaction = 0
        @statuses = "".b
        forget_message
      end

      # Learn from packets.
      def take(packets)
        at = 0
        while at < packets.bytesize
          size = packets.unpack1("N", offset: at)
          learn(packets.getbyte(at + 4), packets.byteslice(at + 5, size - 1))
          at += 4 + size
        end
      end

      # Value of a macro; braces are optional.
      def macro(name)
        name = name.to_s
        name = name[1..-2] if name.start_with?("{") && name.end_with?("}")
        STAGES.each do |command|
          value = @macros.key?(command) && parsed(command)[name]
          return value if value
        end
        nil
      end

      # Key/value store of the transaction.
      def shelf
        @shelf ||= {}
      end

      private

      def learn(command, payload)
        case command
        when MACRO then take_macros(payload)
        when CONNECT then take_connect(payload)
        when HELO then take_helo(payload)
        when MAIL then take_mail(payload)
        when RCPT then take_recipient(payload)
        when REFUSED then refuse_recipient
        when DEFERRED then @recipients.pop
        when ABORT then end_message
        end
      end

      def take_macros(payload)
        command = payload.getbyte(0)
        @macros[command] = payload
        @parsed.delete(command)
      end

      def parsed(command)
        @parsed[command] ||= @macros[command].byteslice(1..).split("\0", -1).each_slice(2)
                                             .with_object({}) do |(name, value), all|
          next unless value

          name = name[1..-2] if name.start_with?("{") && name.end_with?("}")
          all[name] = value.freeze
        end
      end

      def take_connect(payload)
        host, rest = payload.split("\0", 2)
        @host = host.freeze
        family = rest ? rest[0] : "U"
        port = family == "U" ? 0 : rest.unpack1("n", offset: 1)
        address = family == "U" ? nil : rest.byteslice(3..).delete_suffix("\0").delete_prefix("IPv6:")
        @address = SocketAddress.make(family, address, port)
      end

      def take_helo(payload)
        end_message
        @helo = payload.delete_suffix("\0").freeze
      end

      def take_mail(payload)
        forget_message if @sender
        @sender, *@sender_parameters = strings(payload)
      end

      def take_recipient(payload)
        @recipient, *parameters = strings(payload)
        @recipients << @recipient
        @recipient_parameters[@recipient] = parameters
      end

      def refuse_recipient
        @rejected_recipients << @recipients.pop unless @recipients.empty?
      end

      def strings(payload)
        payload.split("\0").each(&:freeze)
      end

      def end_message
        OF_MESSAGE.each do |command|
          @macros.delete(command)
          @parsed.delete(command)
        end
        forget_message
      end

      def forget_message
        @transaction += 1
        @sender = nil
        @sender_parameters = []
        @recipient = nil
        @recipients = []
        @rejected_recipients = []
        @recipient_parameters = {}
        @shelf = nil
        @contexts.each_value(&:forget_message)
      end
    end
  end
end
