#include "base/file.h"

#include "base/error.h"
#include "base/failpoint.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace finstill::base {
namespace {

constexpr std::size_t buffer_size = 1 << 20;

/// An open file, closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

std::filesystem::path parent_of(const std::filesystem::path& file) {
  const std::filesystem::path parent = file.parent_path();
  return parent.empty() ? "." : parent;
}

/// Writes everything; 0 or errno.
int write_all(int descriptor, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written =
        ::write(descriptor, bytes, std::min<std::size_t>(size, std::size_t{1} << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return 0;
}

std::string size_text(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  return bytes >= 1'000'000'000 ? fmt::format("{:.1f} GB", number / 1e9)
                                : fmt::format("{:.1f} MB", number / 1e6);
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown host";
}

void fail_errno(int error, std::string_view action, const std::filesystem::path& file) {
  const bool denied = error == EACCES || error == EPERM || error == EROFS;
  std::string advice;
  if (error == ENOSPC || error == EDQUOT)
    advice = "; free some space or choose another folder, then start again";
  if (error == EFBIG) advice = "; the file size limit of this process is too low (ulimit -f)";
  if (error == EROFS) advice = "; choose a folder on a writable disk";
  if (error == EACCES || error == EPERM)
    advice = "; change its permissions or choose another place";
  if (error == EMFILE || error == ENFILE) advice = "; raise the limit of open files (ulimit -n)";
  const ExitCode code = denied            ? ExitCode::permission
                        : error == ENOMEM ? ExitCode::out_of_memory
                                          : ExitCode::io;
  fail(code, "{}: {}: {}{}", file.empty() ? "\"\"" : file.string(), action, std::strerror(error),
       advice);
}

std::string read_file(const std::filesystem::path& file, std::uint64_t limit) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below.
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) fail_errno(errno, "cannot open", file);
  struct stat status = {};
  if (::fstat(descriptor.get(), &status) != 0) fail_errno(errno, "cannot read", file);
  if (!S_ISREG(status.st_mode))
    fail(ExitCode::io, "{}: not a regular file; give the path of a file", file.string());
  const auto refuse_size = [&] {
    fail(ExitCode::data, "{}: larger than the {} bytes that are allowed here", file.string(),
         limit);
  };
  if (static_cast<std::uint64_t>(status.st_size) > limit) refuse_size();
  std::string bytes(static_cast<std::size_t>(status.st_size) + 1,
                    '\0');  // one more: notices a growing file
  std::size_t filled = 0;
  while (true) {
    const ssize_t got = ::read(descriptor.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(errno, "cannot read", file);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled > limit) refuse_size();
    if (filled == bytes.size()) bytes.resize(bytes.size() * 2);
  }
  bytes.resize(filled);
  return bytes;
}

AtomicFile::AtomicFile(std::filesystem::path file) : file_(std::move(file)) {
  static std::atomic<unsigned> counter{0};
  make_folder(parent_of(file_));
  temporary_ = parent_of(file_) / fmt::format(".{}.{}-{}.tmp", file_.filename().string(),
                                              ::getpid(), counter.fetch_add(1));
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_errno(errno, "cannot write", file_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::flush() {
  const int error = write_all(descriptor_, buffer_.data(), buffer_.size());
  if (error != 0) fail_errno(error, "cannot write", file_);
  buffer_.clear();
}

void AtomicFile::write(std::string_view bytes) {
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > buffer_size) flush();
  if (bytes.size() < buffer_size) {
    buffer_.append(bytes);
    return;
  }
  const int error = write_all(descriptor_, bytes.data(), bytes.size());
  if (error != 0) fail_errno(error, "cannot write", file_);
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail_errno(errno, "cannot write", file_);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  const auto give_up = [&](int error) {
    ::unlink(temporary_.c_str());
    fail_errno(error, "cannot write", file_);
  };
  if (closed != 0) give_up(errno);
  failpoint("file.before_rename");
  if (::rename(temporary_.c_str(), file_.c_str()) != 0) give_up(errno);
  sync_folder(parent_of(file_));
}

void write_file_atomic(const std::filesystem::path& file, std::string_view bytes) {
  AtomicFile out(file);
  out.write(bytes);
  out.commit();
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::error_code ignored;
  if (error && !std::filesystem::is_directory(folder, ignored)) {
    fail_errno(error.value(), "cannot make the folder", folder);
  }
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) fail_errno(errno, "cannot open the folder", folder);
  // Some network file systems know no fsync of folders.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    fail_errno(errno, "cannot write the folder", folder);
  }
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail_errno(errno, fmt::format("cannot rename {}", from.string()), to);
  sync_folder(parent_of(to));
  if (parent_of(from) != parent_of(to)) sync_folder(parent_of(from));
}

void remove_all(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) fail_errno(error.value(), "cannot remove", path);
}

void check_free_space(const std::filesystem::path& folder, std::uint64_t bytes) {
  std::filesystem::path existing = std::filesystem::absolute(folder);
  std::error_code ignored;
  while (!std::filesystem::exists(existing, ignored) && existing.has_relative_path())
    existing = existing.parent_path();
  struct statvfs status = {};
  if (::statvfs(existing.c_str(), &status) != 0)
    fail_errno(errno, "cannot ask for the free space of", existing);
  const std::uint64_t free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (free_bytes < bytes) {
    fail(ExitCode::io,
         "{}: {} are needed and {} are free; free some space or choose another folder",
         folder.string(), size_text(bytes), size_text(free_bytes));
  }
}

RunLock::RunLock(const std::filesystem::path& folder) {
  make_folder(folder);
  const std::filesystem::path file = folder / "run.lock";
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_errno(errno, "cannot write", file);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    char holder[256] = {};
    const ssize_t length = ::read(descriptor_, holder, sizeof holder - 1);
    ::close(descriptor_);
    if (error != EWOULDBLOCK) fail_errno(error, "cannot lock", file);
    const std::string_view who =
        length > 0 ? std::string_view(holder, static_cast<std::size_t>(length)) : "";
    fail(
        ExitCode::io,
        "{}: another run works in this folder ({}); wait for it, stop it, or choose another folder",
        folder.string(), who.empty() ? "unknown process" : who.substr(0, who.find('\n')));
  }
  const std::string who = fmt::format("process {} on {}\n", ::getpid(), host_name());
  if (::ftruncate(descriptor_, 0) != 0 || write_all(descriptor_, who.data(), who.size()) != 0) {
    const int error = errno;
    ::close(descriptor_);
    fail_errno(error, "cannot write", file);
  }
}

RunLock::~RunLock() {
  ::close(descriptor_);
}  // the file stays: removing it would race with the next run

}  // namespace finstill::base
