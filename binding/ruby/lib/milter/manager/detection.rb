# frozen_string_literal: true

%w[setting root roles candidate].each { |name| require "milter/manager/detection/#{name}" }

module Milter
  module Manager
    # Finds the milters that the system starts, from its files alone: it runs nothing.
    #
    #   Detection.new(root: "/", platform: "debian").candidates
    class Detection
      attr_reader :root, :platform, :options

      # @param root [String] directory that is taken for "/"
      # @param platform [String] "debian", "redhat", "freebsd" or "pkgsrc"
      # @param options [Hash] "prefix", "rcddir": see package.options
      def initialize(root: "/", platform: "debian", options: {})
        @root = Root.new(root)
        @platform = platform
        @options = options
      end

      # All that was found, in the advised order.
      def candidates
        @candidates ||= []
      end
    end
  end
end
