# frozen_string_literal: true

require 'etc'
require 'socket'

require_relative 'bench/processes'
require_relative 'bench/relays'
require_relative 'bench/load'
require_relative 'bench/statistics'
require_relative 'bench/scenarios'
require_relative 'bench/runner'
require_relative 'bench/memory'
require_relative 'bench/count'
require_relative 'bench/report'
require_relative 'bench/document'
require_relative 'bench/command'

# An interrupted Open3 would otherwise print a backtrace of each of its threads.
Thread.report_on_exception = false
