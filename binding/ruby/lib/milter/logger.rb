# frozen_string_literal: true

module Milter
  # Log lines from the configuration.  The text, or a block that makes it when the level is on:
  #
  #   Milter::Logger.info("started")
  #   Milter::Logger.debug { expensive }
  module Logger
    # Names of 2.x that mean one of our levels.
    LEVEL_OF = {
      error: :error, critical: :error, warning: :warning, message: :notice, notice: :notice,
      info: :info, statistics: :statistics, debug: :debug, trace: :trace
    }.freeze

    LEVEL_OF.each do |name, level|
      bit = Manager::Native::LOG_LEVELS.fetch(level)
      define_singleton_method(name) do |text = nil, &block|
        next unless Manager::Native.log?(bit)

        Manager::Native.log(bit, (block ? block.call : text).to_s)
        nil
      end
    end
  end
end
