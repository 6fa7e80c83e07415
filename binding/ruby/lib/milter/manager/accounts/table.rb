# frozen_string_literal: true

module Milter
  module Manager
    class Accounts < Tunable
      # Accounts in a file that we read ourselves, again when it changes: a plain one with a key
      # and what it says a line, or a cidr, regexp or pcre table of Postfix.
      class Table
        KINDS = %w[list cidr regexp pcre].freeze
        NOT_LISTED = /\Adunno\z/in

        # @param kind [String] one of KINDS
        # @param path [String]
        def initialize(kind, path)
          @kind = kind
          @file = WatchedFile.new(path) { |text, file| parse(text, file) }
        end

        # @param key [Key]
        # @return [Array<String>, nil] what it says of the account; nil: it knows none
        def find(key)
          value = look_up(@file.value, key)
          return nil if value.nil? || value.match?(NOT_LISTED)

          [value.dup.force_encoding(Encoding::UTF_8)]
        end

        private

        def look_up(table, key)
          case @kind
          when "list" then first(table, key)
          when "cidr" then key.address && table.find(key.address)
          else table.find(key.whole)
          end
        end

        def first(table, key)
          found = key.texts(:access).find { |text| table.key?(text.whole.b) }
          found && table[found.whole.b]
        end

        def parse(text, file)
          case @kind
          when "list" then list(text, file)
          when "cidr" then PostfixCIDRTable.parse(text, file)
          else PostfixRegexpTable.new(@kind.to_sym).parse(text, file)
          end
        end

        def list(text, file)
          ListFile.parse(text, file) { |entry, _place| entry.split(/\s+/n, 2) }
                  .each_with_object({}) { |(key, value), table| table[key.downcase(:ascii)] ||= value.to_s }
        end
      end
    end
  end
end
