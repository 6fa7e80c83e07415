# frozen_string_literal: true

module Milter
  module Manager
    # What --explain prints.
    class ExplainReport
      # @param explain [Explain] that has run
      def initialize(explain)
        @explain = explain
        @names = explain.children.select(&:enabled?).to_h { |child| [child.index, child.name] }
      end

      def text
        blocks = [session_lines, *@explain.children.map { |child| child_lines(child) }]
        "#{printable(blocks.map { |lines| lines.join("\n") }.join("\n\n"))}\n"
      end

      def json
        require "json"
        document = { "mail" => mail, "session" => session,
                     "children" => @explain.children.map { |child| child_hash(child) } }
        "#{JSON.pretty_generate(utf8(document))}\n"
      end

      private

      # --- the session ---

      def mail
        { "file" => @explain.given["file"], "header_fields" => @explain.mail.fields.size,
          "body_bytes" => @explain.mail.body.bytesize }
      end

      def session
        envelope = @explain.envelope
        { "client_host" => envelope.host, "client_address" => envelope.address, "helo" => envelope.helo,
          "sender" => envelope.sender, "recipients" => envelope.recipients.map(&:first), "split_recipients" => @explain.split,
          "refused_recipients" => @explain.refusals.map(&:recipient).uniq }
      end

      def session_lines
        told = utf8(session)
        ["mail        #{utf8(mail['file'])}: #{mail['header_fields']} header fields, #{mail['body_bytes']} bytes of body",
         "client      #{told['client_host']} [#{told['client_address']}], HELO #{told['helo']}",
         "sender      #{told['sender']}",
         "recipients  #{told['recipients'].join(' ')}",
         *told["split_recipients"].map { |each| "split       #{each}: 452 4.5.3, in a message of its own" },
         *told["refused_recipients"].map { |each| "refused     #{each}: 451, temporary failure" }]
      end

      # --- a child ---

      def child_lines(child)
        return [child.name, "  => #{summary(child)}"] unless child.enabled?

        table = child.rows.flat_map { |row| cells(row) + failure(row) + inner_cells(row) }
        macros = child.macros.map { |step, name, value| "  #{step} sets #{utf8(name)} = #{utf8(value).inspect}" }
        [child.name, *aligned(table), *macros, "  => #{summary(child)}"]
      end

      def cells(row)
        [[[row.step, row.recipient].compact.map { |each| utf8(each) }.join(" "), row.condition || "-", said(row),
          row.origin || "-",
          row.same_as ? "as for #{@names[row.same_as]}" : format("%.2f ms", row.seconds * 1000)]]
      end

      def failure(row)
        return [] unless row.failure

        ["    failed: #{utf8(row.failure)}#{"; fallback #{row.fallback}" if row.fallback}"]
      end

      def inner_cells(row, depth = 1)
        row.inner.flat_map do |each|
          [["", "#{'  ' * depth}#{each.condition}", said(each), each.origin,
            format("%.2f ms", each.seconds * 1000)], *inner_cells(each, depth + 1)]
        end
      end

      def said(row)
        text = row.answer
        text += " (#{utf8(row.about)})" if row.about && row.stops?
        text += " (#{row.asked} times)" if row.asked > 1 && !row.stops?
        text
      end

      def aligned(table)
        widths = [0, 1, 2, 3].map { |column| table.grep(Array).map { |line| line[column].length }.max }
        table.map do |line|
          next line if line.is_a?(String)

          "  #{line[0..3].each_with_index.map { |cell, i| cell.ljust(widths[i]) }.join('  ')}  #{line[4]}"
        end
      end

      # --- its end ---

      UNTIL = { session: "sees nothing more of the connection", message: "sees nothing more of the message",
                refused: "the client is told a temporary failure",
                ended: "the client is told a temporary failure" }.freeze

      def result(child)
        return "disabled" unless child.enabled?
        return "runs" unless child.outcome

        { refused: "temporary failure", ended: "refused" }.fetch(child.outcome.scope, "stopped")
      end

      def refusals(child)
        @explain.refusals.select { |refusal| refusal.child.equal?(child) }
      end

      def by(row)
        row.condition || "the fallbacks"
      end

      def summary(child)
        return "disabled" unless child.enabled?

        outcome = child.outcome
        hidden = child.hidden.empty? ? "" : ", without #{utf8(child.hidden).join(' ')}"
        refused = refusals(child).map { |each| "; #{utf8(each.recipient)} refused at rcpt by #{by(each.row)} (temporary failure)" }
        return "runs#{hidden}#{refused.join}#{', its verdict and changes are only logged' if child.evaluates}" unless outcome
        return "stopped at data: no recipient is left" unless outcome.row

        return "refused at rcpt by #{by(outcome.row)} (temporary failure): no recipient is left" \
          if outcome.step == "rcpt" && %i[refused ended].include?(outcome.scope)

        "#{result(child)} at #{outcome.step} by #{by(outcome.row)}: #{UNTIL[outcome.scope]}"
      end

      def child_hash(child)
        outcome = child.outcome
        { "name" => child.name, "result" => result(child), "summary" => summary(child),
          "step" => outcome&.step, "condition" => outcome&.row&.condition, "origin" => outcome&.row&.origin,
          "until" => outcome && (outcome.scope == :session ? "connection" : "message"),
          "hidden_recipients" => child.hidden,
          "refused_recipients" => refusals(child).map(&:recipient), "decisions" => child.rows.map { |row| named(row.to_h) },
          "macros" => child.macros.map { |step, name, value| { "step" => step, "name" => name, "value" => value } } }
          .reject { |_, value| value.nil? }
      end

      def named(hash)
        hash["same_as"] ? hash.merge("same_as" => @names[hash["same_as"]]) : hash
      end

      # --- bytes ---

      def printable(text)
        utf8(text).gsub(/[^\n[:print:]]/) { |char| char.dump[1..-2] }
      end

      def utf8(value)
        case value
        when String then value.dup.force_encoding(Encoding::UTF_8).scrub { |bytes| bytes.unpack1("H*").gsub(/../, "\\x\\0") }
        when Array then value.map { |each| utf8(each) }
        when Hash then value.to_h { |key, each| [key, utf8(each)] }
        else value
        end
      end
    end
  end
end
