# frozen_string_literal: true

module Milter
  module Manager
    # What the MTA has said of a session so far: kept as the packets that come with a question,
    # read when ChildContext is asked for it.  All text is bytes.
    class Session
      # Commands from the latest to the earliest: where a macro is looked for first.
      STAGES = "ENTRMHC".bytes.each_with_index.to_h.freeze
      N_OF_MESSAGE = 5 # of them
      CONNECT, HELO, MAIL, RCPT, DATA, MACRO, ABORT, REFUSED, DEFERRED = "CHMRTDA-=".bytes
      NONE = [].freeze

      # recipient: the one that came last, whatever became of it.
      attr_reader :id, :host, :helo, :recipient, :contexts, :transaction
      attr_accessor :statuses, :n_sessions, :seen

      def initialize(id)
        @id = id
        @macros = Array.new(STAGES.length) # payloads
        @contexts = []
        @transaction = 0
        @statuses = ""
        forget_message
      end

      # Learn from packets.
      def take(packets)
        all = Native.packets(packets)
        i = 0
        while i < all.length
          learn(all[i], all[i + 1])
          i += 2
        end
      end

      # Value of a macro; braces are optional.
      def macro(name)
        Native.macro(@macros, name.to_s)
      end

      # The client's; nil before connect.
      def address
        @address ||= @connection && read_address
      end

      def sender
        @sender ||= @mail && first(@mail)
      end

      def sender_parameters
        @sender_parameters ||= @mail ? rest(@mail) : NONE
      end

      def recipients
        @recipients || NONE
      end

      def rejected_recipients
        @rejected_recipients || NONE
      end

      def recipient_parameters
        @recipient_parameters || {}
      end

      # Key/value store of the transaction.
      def shelf
        @shelf ||= {}
      end

      private

      def learn(command, payload)
        if command == MACRO then take_macros(payload)
        elsif command == CONNECT then take_connect(payload)
        elsif command == HELO then take_helo(payload)
        elsif command == MAIL then take_mail(payload)
        elsif command == RCPT then take_recipient(payload)
        elsif command == REFUSED then refuse_recipient
        elsif command == DEFERRED then @recipients&.pop
        elsif command == ABORT then end_message
        end
      end

      def take_macros(payload)
        stage = STAGES[payload.getbyte(0)]
        @macros[stage] = payload if stage
      end

      # HOST NUL FAMILY PORT ADDRESS NUL
      def take_connect(payload)
        @connection = payload
        @host = first(payload)
        @address = nil
      end

      def read_address
        at = @host.bytesize + 1
        family = @connection[at] || "U"
        return SocketAddress.make("U", nil, 0) if family == "U"

        port = @connection.unpack1("n", offset: at + 1)
        text = @connection.byteslice(at + 3..).delete_suffix("\0").delete_prefix("IPv6:")
        SocketAddress.make(family, text, port)
      end

      def take_helo(payload)
        end_message
        @helo = first(payload)
      end

      def take_mail(payload)
        forget_message if @mail
        @mail = payload
      end

      def take_recipient(payload)
        @recipient = first(payload)
        (@recipients ||= []) << @recipient
        (@recipient_parameters ||= {})[@recipient] = rest(payload)
      end

      def refuse_recipient
        (@rejected_recipients ||= []) << @recipients.pop if @recipients && !@recipients.empty?
      end

      # The first of several strings, each with its NUL.
      def first(payload)
        payload.byteslice(0, payload.index("\0") || payload.bytesize).freeze
      end

      def rest(payload)
        payload.split("\0").drop(1).each(&:freeze)
      end

      def end_message
        @macros.fill(nil, 0, N_OF_MESSAGE)
        forget_message
      end

      def forget_message
        @transaction += 1
        @mail = @sender = @sender_parameters = nil
        @recipient = @recipients = @rejected_recipients = @recipient_parameters = nil
        @shelf = nil
        @contexts.each { |context| context&.forget_message }
      end
    end
  end
end
