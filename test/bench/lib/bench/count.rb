# frozen_string_literal: true

module Bench
  # Counts what a manager's worker does for a header: calls under callgrind,
  # system calls under strace.  Counts do not flake as times do.
  class Count
    FEW = 10
    MANY = 110
    CHILDREN = 3
    OWN = /\A(?:lt-)?bench-worker\z|\Alibmilter-(?:core|client|server)/.freeze
    ALLOCATIONS = /\A(?:malloc|calloc|realloc|memalign|posix_memalign|aligned_alloc)\z/.freeze

    def initialize(workshop, tools)
      @workshop = workshop
      @tools = tools
      @load = Load.new(tools)
    end

    def run
      calls_per_header.merge(system_calls_per_message)
    end

    # Calls between 10 and 110 headers of one message, divided by 100.
    def calls_per_header
      few, many = [FEW, MANY].map { |n| count_calls(n) }
      (own, allocations, all) = %i[own allocations all].map do |kind|
        (many[kind] - few[kind]) / (MANY - FEW).to_f
      end
      { 'own function calls per header' => own, 'allocations per header' => allocations,
        'all calls per header' => all }
    end

    # System calls between 10 and 110 messages of one session, divided by 100.
    def system_calls_per_message
      few, many = [FEW, MANY].map { |n| count_system_calls(n) }
      names = (many.keys | %w[epoll_ctl]).sort_by { |name| -many.fetch(name, 0) }
      names.to_h do |name|
        ["#{name} per message, same session",
         (many.fetch(name, 0) - few.fetch(name, 0)) / (MANY - FEW).to_f]
      end.reject { |name, value| value.abs < 0.05 && !name.start_with?('epoll_ctl') }
    end

    private

    def with_relay
      rig = Rig.new(@workshop, @tools, :tcp)
      yield rig
    ensure
      rig&.close
    end

    # A fresh relay for each count: it writes its calls when it ends.  Messages
    # before the counted one settle what is done only once.
    def count_calls(n_headers)
      files = @workshop.path('callgrind')
      with_relay do |rig|
        relay = rig.add_worker(CHILDREN, ['valgrind', '--tool=callgrind', '--trace-children=yes',
                                          '-q', '--compress-strings=no', '--compress-pos=no',
                                          "--callgrind-out-file=#{files}.%p"])
        @load.run(relay, messages: 2, headers: FEW)
        @load.run(relay, messages: 1, headers: n_headers)
        @workshop.stop(relay.pid, seconds: 60)
        CallgrindFile.new("#{files}.#{relay.pid}").counts(OWN, ALLOCATIONS)
      end
    end

    def count_system_calls(n_messages)
      with_relay do |rig|
        relay = rig.add_manager(CHILDREN)
        @load.run(relay, messages: 20)
        table = @workshop.path('strace')
        worker = Proc.leaves(relay.pid).first
        tracer = @workshop.start('strace', '-c', '-f', '-o', table, '-p', worker.to_s)
        @workshop.wait_for(tracer, 'strace') { @workshop.log(tracer).include?('attached') }
        @load.run(relay, messages: n_messages, per_session: n_messages)
        @workshop.stop(tracer, signal: :INT)
        parse_strace(File.read(table))
      end
    end

    def parse_strace(text)
      text.each_line.filter_map do |line|
        fields = line.split
        [fields.last, fields[3].to_i] if fields[0] =~ /\A\d+\.\d+\z/ && fields.last != 'total'
      end.to_h
    end
  end

  # Call counts of a callgrind output file written without compressed strings.
  class CallgrindFile
    def initialize(path)
      raise Failure, "#{path}: valgrind wrote no calls of the worker" unless File.exist?(path)

      @path = path
    end

    # Calls of functions in objects named like `own`, of functions named like
    # `allocations`, and all calls.
    def counts(own, allocations)
      counts = { own: 0, allocations: 0, all: 0 }
      each_call do |object, function, n|
        counts[:all] += n
        counts[:own] += n if File.basename(object).match?(own)
        counts[:allocations] += n if function.match?(allocations)
      end
      counts
    end

    private

    def each_call
      object = callee_object = callee = nil
      File.foreach(@path) do |line|
        case line
        when /\Aob=(.*)/ then object = Regexp.last_match(1)
        when /\Afn=/ then callee_object = nil
        when /\Acob=(.*)/ then callee_object = Regexp.last_match(1)
        when /\Acfn=(.*)/ then callee = Regexp.last_match(1)
        when /\Acalls=(\d+)/
          yield callee_object || object, callee, Regexp.last_match(1).to_i
          callee_object = nil
        end
      end
    end
  end
end
