# frozen_string_literal: true

require_relative "scenario"

# Makes random scenarios from a seed.
module Generator
end
