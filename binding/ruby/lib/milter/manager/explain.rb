# frozen_string_literal: true

require "milter/manager/explain_mail"
require "milter/manager/explain_envelope"
require "milter/manager/explain_trace"
require "milter/manager/explain_row"
require "milter/manager/explain_report"

module Milter
  module Manager
    # --explain: plays the relay towards the decider for one mail.  Questions go the way they go
    # in a worker; no child is contacted, each counts as one that answers "continue".
    class Explain
      STEPS = %w[connect helo mail rcpt data header eoh body eom].freeze
      OF_SESSION = %w[connect helo].freeze
      CHUNK = 65_535 # bytes of the body a question is about
      HOOK_SECONDS = 1.0 # that blocks of worker_started get before the first question
      QUITTED = 0x80 # in a status
      LATE = 1.0     # s beyond the limit, after which the fallbacks decide
      APPLY, STOP, TEMPORARY_FAILURE = 0, 1, 2

      # A child of the configuration.  INDEX is nil while it is disabled; STEPS are bits,
      # FALLBACKS decisions by step.
      Child = Struct.new(:name, :index, :steps, :fallbacks, :evaluates, :conditions,
                         :outcome, :hidden, :n_shown, :rows, :macros) do
        def enabled? = !index.nil?
        def takes_part? = enabled? && outcome.nil?
        def asks?(step) = takes_part? && steps[STEPS.index(step)] == 1

        # The piece of the body after the last one is no news where the same was said of it.
        def add(new)
          new.each { |row| (row.step == "body" && rows.reverse_each.find { |each| each.absorb(row) }) || rows << row }
        end
      end

      # What ended a child's part: :session, :message, or with the mail :refused (by this child's
      # conditions) or :ended (by others'), at a step, by a row of the report (nil: no recipient
      # was left).
      Outcome = Struct.new(:scope, :step, :row)

      # A recipient that is told a temporary failure, for a child, by a row of the report.
      Refusal = Struct.new(:recipient, :child, :row)

      attr_reader :children, :envelope, :mail, :given, :split, :refusals

      # @param children [Array<Array>] name, index, steps, fallbacks, evaluates, Conditions
      # @param given [Hash] what the command line says
      def initialize(children, trace, given)
        @children = children.map { |values| Child.new(*values, nil, [], 0, [], []) }
        @trace = trace
        @given = given
        @mail = ExplainMail.new(given["mail"])
        @envelope = ExplainEnvelope.new(@mail, given, given["mta"])
        SocketTable.played = @envelope.local_end
        @facts = "".b
        @seen = 0
        @is_refused = false
        @split = []
        @refusals = []
      end

      # Run in a thread, which ends the worker that answers.
      def start(hooks)
        thread = Thread.new do
          end_at = Process.clock_gettime(Process::CLOCK_MONOTONIC) + HOOK_SECONDS
          hooks.each { |hook| hook.join([end_at - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max) }
          run
        ensure
          Native.explain_end
        end
        thread.report_on_exception = false
        thread
      end

      # Ask all there is to ask.
      def run
        envelope_step("connect", @envelope.connect)
        envelope_step("helo", @envelope.helo_packets)
        envelope_step("mail", @envelope.mail)
        @envelope.recipients.each { |recipient| recipient_step(recipient) }
        return end_at_rcpt if all_refused?

        without_recipients
        envelope_step("data", @envelope.data)
        content
        end_others if @is_refused
      end

      private

      # --- steps ---

      def envelope_step(step, facts, recipient = nil)
        return if @is_refused

        @facts << facts
        asked = @children.select { |child| child.asks?(step) }
        ask(step, asked, nil, recipient) unless asked.empty?
      end

      def recipient_step(recipient)
        return if @is_refused

        before = @children.select(&:takes_part?)
        envelope_step("rcpt", @envelope.rcpt(recipient), recipient.first)
        before.each { |child| child.hidden.delete(recipient.first) } if @is_refused # nobody is shown it
        refused = @is_refused || split?(before, recipient.first)
        @is_refused = false
        return @facts << @envelope.packet("-", "") if refused # only this recipient

        @envelope.is_queued = true
        before.each { |child| child.n_shown += 1 unless child.hidden.include?(recipient.first) }
      end

      # With manager.split_recipients: whether other children are shown it than the first one.
      def split?(children, recipient)
        return false unless @given["split"]

        shown = children.reject { |child| child.hidden.include?(recipient) || child.evaluates }
        @first_shown ||= shown
        return false if shown == @first_shown

        children.each { |child| child.hidden.delete(recipient) }
        @split << recipient
      end

      # The MTA takes a mail for nobody no further.
      def all_refused?
        refused = @refusals.map(&:recipient)
        @envelope.recipients.all? { |recipient| refused.include?(recipient.first) }
      end

      def end_at_rcpt
        @refusals.each { |refusal| refusal.child.outcome ||= Outcome.new(:refused, "rcpt", refusal.row) }
        end_others
      end

      # Whom the refusal of the mail leaves without it.
      def end_others
        refused = @children.find { |child| child.outcome&.scope == :refused }&.outcome or return
        @children.select(&:takes_part?).each { |child| child.outcome = Outcome.new(:ended, refused.step, refused.row) }
      end

      def without_recipients
        @children.each do |child|
          next unless child.takes_part? && child.hidden.any? && child.n_shown.zero?

          child.outcome = Outcome.new(:message, "rcpt", nil)
        end
      end

      def content
        unasked = @mail.fields.map { |name, value| @envelope.packet("L", "#{name}\0#{value}\0") }.join
        @seen = @mail.fields.sum { |name, value| name.bytesize + value.bytesize + 2 }
        pending = Hash.new { |hash, child| hash[child] = unasked.dup }.compare_by_identity
        content_step("header", pending) { "" }
        @facts << @envelope.eoh
        content_step("eoh", pending) { @envelope.packet("N", "") }
        body(pending)
        @facts << @envelope.eom
        content_step("eom", pending) { @envelope.packet("E", "") }
      end

      def body(pending)
        at = 0
        while at < @mail.body.bytesize
          chunk = @mail.body.byteslice(at, CHUNK)
          at += chunk.bytesize
          @seen += chunk.bytesize
          content_step("body", pending) { @envelope.packet("B", chunk) }
        end
      end

      # A child is asked when it is about to read: by itself, with the fields it was not asked
      # about before.
      def content_step(step, pending)
        return if @is_refused

        @children.select { |child| child.asks?(step) }.each do |child|
          items = pending[child] + yield
          pending[child] = "".b
          ask(step, [child], items, nil) unless items.empty?
          break if @is_refused
        end
      end

      # --- one question ---

      def ask(step, asked, items, recipient)
        limit = @given["limit"]
        Native.explain_ask(STEPS.index(step), @facts, items, statuses, limit, @seen, asked.map(&:index))
        @facts = "".b
        decisions, macros = Native.explain_answer(limit + LATE)
        entries = @trace.take
        asked.each_with_index do |child, position|
          decision = decisions ? decisions[position] : child.fallbacks[STEPS.index(step)]
          rows = ExplainRow.of(child, step, recipient, entries)
          rows << ExplainRow.late(step, recipient, limit + LATE, decision) unless decisions
          take(child, step, recipient, decision, rows)
        end
        (macros || []).each { |index, name, value| set_macro(asked, step, index, name, value) }
      end

      def statuses
        @children.select(&:enabled?).map { |child| child.outcome ? QUITTED : 0 }.pack("C*")
      end

      def take(child, step, recipient, decision, rows)
        child.add(rows)
        decision = STOP if decision == TEMPORARY_FAILURE && child.evaluates
        case decision
        when STOP then stop(child, step, recipient, rows.last)
        when TEMPORARY_FAILURE
          @is_refused = true
          return @refusals << Refusal.new(recipient, child, rows.last) if recipient

          child.outcome = Outcome.new(:refused, step, rows.last)
        end
      end

      def stop(child, step, recipient, row)
        return child.hidden << recipient if recipient

        child.outcome = Outcome.new(OF_SESSION.include?(step) ? :session : :message, step, row)
      end

      def set_macro(asked, step, index, name, value)
        child = asked.find { |each| each.index == index }
        child.macros << [step, name, value] if child
      end
    end
  end
end
