# frozen_string_literal: true

module Bench
  # The few sums the benchmark needs.
  module Statistics
    module_function

    def median(values)
      sorted = values.sort
      middle = sorted.size / 2
      sorted.size.odd? ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0
    end

    # Three digits, without exponents.
    def short(value)
      value.abs >= 100 ? format('%.0f', value) : format('%.3g', value)
    end

    # Median of the quotients of values measured in the same round.
    def paired_ratio(values, base)
      pairs = values.zip(base).reject { |_, below| below.zero? }
      pairs.empty? ? nil : median(pairs.map { |above, below| above / below.to_f })
    end
  end
end
