# frozen_string_literal: true

module Milter
  module Manager
    # Macros that Sendmail has and Postfix has not, made of what Postfix and the kernel tell.
    class SendmailMacros
      # What stands for a queue id before Postfix gives the message one.
      DUMMY_ID = "dummy-id"

      # At connect: the address, name and port of the interface.
      def set_interface(context, socket_address)
        address, port = interface(context, socket_address)
        set(context, "if_addr", address)
        set(context, "if_name", context["if_name"] || context["j"] || context["daemon_name"])
        set(context, "daemon_port", port)
      end

      # At MAIL: the queue id.
      def set_queue_id(context)
        set(context, "i", DUMMY_ID)
      end

      private

      # Postfix's own {daemon_addr} and {daemon_port}; the kernel's where it sends none.
      def interface(context, socket_address)
        address = context["if_addr"] || context["daemon_addr"]
        port = context["daemon_port"]
        if address.nil? || port.nil?
          found = from_table(context, socket_address)
          address ||= found && found[0].to_s
          port ||= found && found[1].to_s
        end
        [address, port]
      end

      def from_table(context, socket_address)
        address = context["client_addr"] || socket_address.address
        port = Integer(context["client_port"] || socket_address.port, exception: false)
        return socket_address.local_end if [address, port] == [socket_address.address, socket_address.port]

        SocketTable.local_end(address, port)
      end

      # A macro that the MTA sent stays.
      def set(context, name, value)
        context[name] = value if value && context[name].to_s.empty?
      end
    end
  end
end
