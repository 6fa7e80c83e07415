# A model of ActiveRecord for conditions; milter-manager.local.conf has, besides,
#
#   database.type = "mysql2"
#   database.name = "mail"
#   database.user = "milter"
#   database.setup
#   database.load_models("models/*.rb")
#
#   define_applicable_condition("Known User") do |condition|
#     condition.define_recipient_selector { |_context, recipient| User.knows?(recipient) }
#   end
#
# class User < ActiveRecord::Base
#   def self.knows?(recipient)
#     exists?(mail: recipient.delete("<>").downcase)
#   end
# end
