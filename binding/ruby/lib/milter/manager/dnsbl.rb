# frozen_string_literal: true

module Milter
  module Manager
    # Whether DNS lists know a client.  All lists are asked side by side; the weights of those
    # that list it are added until the threshold is reached.  Answers are kept for their
    # lifetime.  A list that cannot be asked counts as one that does not list the client.
    class DNSBL < Tunable
      # A list: its zone, the networks an answer must be in, and what a hit counts.
      Service = Struct.new(:zone, :expected, :weight)

      # Every answer that means "listed".  Answers in 127.255.255.0/24 mean "you may not ask".
      LISTED = AddressSet.new("127.0.0.0/8")
      REFUSED = AddressSet.new("127.255.255.0/24")
      LABEL = /\A[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\z/
      WARNING_INTERVAL = 60 # seconds between two complaints about one zone

      def initialize(client: DNSClient, cache: DNSCache.new)
        super("dnsbl")
        @client = client
        @cache = cache
        @services = []
        @name_servers = nil
        @threshold = 1
        @timeout = 5
        @running = {}
        @warned = {}
      end

      attr_reader :threshold, :timeout

      # Ask one list more.
      # @param zone [String] such as "zen.spamhaus.org"
      # @param expected_answer [String, IPAddr, Array, nil] addresses and networks that mean
      #   "listed"; nil: all of 127.0.0.0/8 but 127.255.255.0/24
      # @param weight [Numeric] what a hit counts; below zero for a white list
      def add_service(zone, expected_answer = nil, weight: 1)
        zone = check_zone(:add_service, zone)
        wrong(:add_service, weight, "a weight (a number)") unless weight.is_a?(Numeric) && weight.real?
        remove_zone(zone)
        @services << Service.new(zone, expected(expected_answer), weight)
        arguments = [zone]
        arguments << expected_answer if expected_answer
        arguments << { weight: weight } unless weight == 1
        note(:add_service, *arguments)
      end

      # Do not ask a list.
      def remove_service(zone)
        zone = check_zone(:remove_service, zone)
        remove_zone(zone) or
          raise ConfigurationError, "dnsbl.remove_service: there is no #{zone}; " \
                                    "there are #{zones.join(', ')}"
        note(:remove_service, zone)
      end

      # Ask no list at all so far.
      def clear
        @services.clear
        note(:clear)
      end

      def zones
        @services.map(&:zone)
      end

      # The name server to ask: "192.0.2.1", "[2001:db8::1]:5353"; nil: the system's.
      def name_server=(server)
        set_name_servers(:name_server, server.nil? ? nil : [server])
      end

      def name_servers=(servers)
        set_name_servers(:name_servers, servers)
      end

      # The sum of weights from which on a client counts as listed.
      def threshold=(number)
        check_number(:threshold, number, min: 0, whole: false)
        wrong(:threshold, number, "above 0: every client would be listed") if number.zero?
        @threshold = number
        note_set(:threshold, number)
      end

      # Seconds for all lists together.
      def timeout=(seconds)
        @timeout = check_number(:timeout, seconds, min: 0.1, whole: false)
        note_set(:timeout, seconds)
      end

      # @param socket_address the client's; one without an IP address is not listed
      def listed?(socket_address)
        address = AddressSet.of(socket_address)
        return false unless address

        once(address) { score(address) >= @threshold }
      end

      # The name that is asked for ADDRESS in ZONE.
      def self.query_name(address, zone)
        labels = address.ipv4? ? address.to_s.split(".") : address.hton.unpack1("H*").chars
        "#{labels.reverse.join('.')}.#{zone}"
      end

      private

      # WORD: as which it was written.
      def set_name_servers(word, servers)
        parsed = servers && Array(servers).map do |server|
          NameServers.parse(server) or
            wrong(word, server, "the address of a name server such as 192.0.2.1:53")
        end
        @name_servers = parsed&.empty? ? nil : parsed
        note_set(:name_servers, servers)
      end

      def defaults
        { name_servers: nil, threshold: 1, timeout: 5 }
      end

      # The block's value; children that ask for the same address at the same time share it.
      def once(address)
        key = address.to_i
        lock = @running[key] ||= Mutex.new
        lock.synchronize { yield }
      ensure
        @running.delete(key) if lock && !lock.locked?
      end

      def score(address)
        by_name = @services.to_h { |service| [self.class.query_name(address, service.zone), service] }
        missing = by_name.keys.reject { |name| @cache[name] }
        sum = (by_name.keys - missing).sum { |name| weight(by_name[name], @cache[name]) }
        return sum if missing.empty? || decided?(sum, by_name.values_at(*missing))

        ask(missing, by_name, sum)
      end

      def ask(missing, by_name, sum)
        open = missing.dup
        @client.new(@name_servers || NameServers.of_system, @timeout)
               .each_answer(missing) do |name, answer|
          @cache[name] = answer
          warn_of(by_name[name].zone, answer.error) if answer.error
          open.delete(name)
          sum += weight(by_name[name], answer)
          !decided?(sum, by_name.values_at(*open))
        end
        sum
      end

      # Whether no answer of SERVICES can change what SUM says.
      def decided?(sum, services)
        lowest = sum + services.sum { |service| [service.weight, 0].min }
        highest = sum + services.sum { |service| [service.weight, 0].max }
        lowest >= @threshold || highest < @threshold
      end

      def weight(service, answer)
        hit = answer.addresses.any? do |text|
          address = AddressSet.parse(text)
          service.expected ? service.expected.include?(address) : listed_answer?(address)
        end
        hit ? service.weight : 0
      end

      def listed_answer?(address)
        LISTED.include?(address) && !REFUSED.include?(address)
      end

      def expected(answers)
        return nil if answers.nil?

        Array(answers.is_a?(IPAddr) ? [answers] : answers).each_with_object(AddressSet.new) do |answer, set|
          network = AddressSet.parse(answer)
          wrong(:add_service, answer, "an address or network such as 127.0.0.2") unless network
          set.add(network)
        end
      end

      def check_zone(method, zone)
        labels = zone.is_a?(String) ? zone.chomp(".").split(".", -1) : []
        unless labels.any? && zone.bytesize <= 180 && labels.all? { |label| LABEL.match?(label) }
          wrong(method, zone, "a domain name")
        end

        labels.join(".").downcase
      end

      def remove_zone(zone)
        @services.reject! { |service| service.zone == zone }
      end

      def warn_of(zone, error)
        now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
        return if @warned[zone] && now - @warned[zone] < WARNING_INTERVAL

        @warned[zone] = now
        Milter::Logger.warning("dnsbl: #{zone} cannot be asked: #{error}; it counts as not listing")
      end
    end
  end
end
