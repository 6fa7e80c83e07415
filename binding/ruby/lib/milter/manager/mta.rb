# frozen_string_literal: true

require "milter/manager/socket_spec"
%w[service postfix_files postfix sendmail condition_macros].each { |name| require "milter/manager/mta/#{name}" }

module Milter
  module Manager
    module MTA
      # Every MTA that has files below ROOT.
      def self.find(root = "/")
        Postfix.find(root) + Sendmail.find(root)
      end
    end
  end
end
