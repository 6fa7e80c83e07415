# frozen_string_literal: true

module Milter
  module Manager
    # `detect.order` …, and the words of defaults/PLATFORM.conf:
    #
    #   detect.milter "clamav-milter", conditions: ["Remote Network"]
    #   detect.others
    #   detect.register
    class DetectGroup < ItemGroup
      items_of "detect"

      # @param configuration [Configuration]
      def initialize(configuration)
        super()
        @configuration = configuration
        @known = {}
      end

      # What is below package.root, as detection sees it.
      def detection
        @detection ||= Detection.new(root: @configuration.package.root,
                                     platform: @configuration.package.platform,
                                     options: package_options)
      end

      # All that was found (Detection::Candidate), in the order of the children.
      def candidates
        detection.candidates
      end

      # A path, or several, that detect.watch is to look at besides what detection read.
      def also_watch(*paths)
        paths.flatten.each do |path|
          unless path.is_a?(String) && File.absolute_path?(path)
            raise ConfigurationError, "detect.also_watch: #{path.inspect} is no absolute path"
          end

          Native.watch(path)
        end
      end

      # Have detect.watch look at all that detection read.
      def watch_files
        return unless @detection && watch

        root = @detection.root
        root.asked.each { |path| Native.watch(root.outside(path)) }
      end

      private

      def package_options
        %w[prefix rcddir].to_h { |name| [name, @configuration.package.option(name)] }.compact
      end
    end
  end
end
