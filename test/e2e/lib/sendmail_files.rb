# frozen_string_literal: true

require "fileutils"

# Debian's Sendmail, unpacked without being installed (its packages conflict with Postfix).
module SendmailFiles
  PACKAGES = %w[sendmail-bin sendmail-cf libwrap0].freeze

  # The directory with the unpacked packages, from the cache or made now; nil when that fails.
  def self.root
    cache = File.join(ENV["top_builddir"] || Dir.pwd, "test", "e2e", "sendmail-files")
    return cache if File.exist?("#{cache}/ready")

    FileUtils.rm_rf(cache)
    FileUtils.mkdir_p("#{cache}/debs")
    return nil unless download("#{cache}/debs") && unpack(cache)

    File.write("#{cache}/ready", "")
    cache
  end

  def self.download(dir)
    log = File.join(dir, "log")
    File.chmod(0o777, dir)
    system("apt-get", "download", "-qq", *PACKAGES, chdir: dir, out: [log, "a"], err: [log, "a"])
  end

  def self.unpack(dir)
    Dir.glob("#{dir}/debs/*.deb").all? { |deb| system("dpkg", "-x", deb, "#{dir}/root") } or return
    FileUtils.cp("#{dir}/root/usr/libexec/sendmail/sendmail", "#{dir}/sendmail")
    File.chmod(0o755, "#{dir}/sendmail") # without the setgid bit, which hides LD_LIBRARY_PATH
    FileUtils.mkdir_p("#{dir}/lib")
    Dir.glob("#{dir}/root/**/libwrap.so*").each { |lib| FileUtils.cp_r(lib, "#{dir}/lib") }
    true
  end
end
