#pragma once

// SHA-256 through OpenSSL, as 64 lower-case hexadecimal digits.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::base {

/// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  void update(const void* bytes, std::size_t size) {
    update({static_cast<const char*>(bytes), size});
  }
  /// The digest of everything so far; ends this object's work.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);

/// Of a regular file's bytes. Throws Error(io) or Error(permission).
std::string sha256_file(const std::filesystem::path& file);

/// Of everything in a folder: SHA-256 over "relative/path NUL digest LF" of its files, sorted by
/// path, so that names and contents count, and times, owners and the folder's own place do not.
/// Links are followed, cycles are an Error(data). `skip`, if given, is asked for each relative
/// path.
std::string sha256_folder(const std::filesystem::path& folder,
                          const std::function<bool(const std::string& relative)>& skip = nullptr);

/// The relative paths ('/' between steps) of all files in a folder, sorted by bytes. Throws
/// Error(io), Error(permission), and Error(data) for links that go in circles and for what is
/// neither file nor folder.
std::vector<std::string> files_in(const std::filesystem::path& folder);

std::string to_hex(std::string_view bytes);

}  // namespace finstill::base
