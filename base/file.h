#pragma once

// Files that are whole or absent. A reader never sees a half-written file, and what was written is
// on the disk: temporary name in the same folder, fsync, rename, fsync of the folder. (Rename alone
// is not enough: after a power cut ext4 may show the new name with no bytes.)

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace finstill::base {

/// Reads a whole regular file. Throws Error(io) when it is missing, no regular file or unreadable,
/// Error(permission) when access is denied, Error(data) when it is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& file,
                      std::uint64_t limit = std::uint64_t{1} << 32);

/// Throws the Error for a failed system call: permission for EACCES, EPERM, EROFS; otherwise io.
/// `action` reads "cannot write"; disk full and quota say what to do.
[[noreturn]] void fail_errno(int error, std::string_view action, const std::filesystem::path& file);

/// A file that appears under its name only on commit(). Without commit nothing is left.
class AtomicFile {
 public:
  /// Creates the parent folders and the temporary file. Throws Error(io) or Error(permission).
  explicit AtomicFile(std::filesystem::path file);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends bytes. Throws Error(io) when the disk is full.
  void write(std::string_view bytes);
  void write(const void* bytes, std::size_t size) {
    write({static_cast<const char*>(bytes), size});
  }
  std::uint64_t size() const { return size_; }

  /// Flushes, fsyncs, renames over the final name, fsyncs the folder.
  void commit();

 private:
  std::filesystem::path file_, temporary_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string buffer_;

  void flush();
};

/// AtomicFile in one call.
void write_file_atomic(const std::filesystem::path& file, std::string_view bytes);

/// Makes a folder and its parents. Throws Error(io) or Error(permission).
void make_folder(const std::filesystem::path& folder);
/// Makes the entries of a folder durable.
void sync_folder(const std::filesystem::path& folder);
/// rename(2), then sync of the parent folders.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);
/// Removes a file or a folder with everything in it; absent is fine. Throws Error(io) or
/// Error(permission).
void remove_all(const std::filesystem::path& path);

/// Throws Error(io) when the disk that holds `folder` (which need not exist yet) has fewer than
/// `bytes` free, naming both figures. Called before work that would end with a full disk.
void check_free_space(const std::filesystem::path& folder, std::uint64_t bytes);

/// This machine's name as it calls itself, "unknown host" where it has none.
std::string host_name();

/// Keeps a second run out of a run directory: an flock on `folder`/run.lock that ends with the
/// process, however it ends.
class RunLock {
 public:
  /// Throws Error(io) naming the process and host that hold it when somebody else does.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace finstill::base
