#include "base/hash.h"

#include "base/error.h"
#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace finstill::base {
namespace {

/// Walks a folder; `ancestors` are the folders around it, to notice links that go in circles.
void collect_files(const std::filesystem::path& folder, const std::string& prefix,
                   std::vector<std::pair<dev_t, ino_t>>& ancestors,
                   std::vector<std::string>& files) {
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) fail_errno(errno, "cannot read", folder);
  const std::pair<dev_t, ino_t> self{status.st_dev, status.st_ino};
  if (std::find(ancestors.begin(), ancestors.end(), self) != ancestors.end()) {
    fail(ExitCode::data, "{}: links go in a circle; remove the link", folder.string());
  }
  ancestors.push_back(self);
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string relative = prefix + entry->path().filename().string();
    if (::stat(entry->path().c_str(), &status) != 0)
      fail_errno(errno, "cannot read", entry->path());
    if (S_ISDIR(status.st_mode)) {
      collect_files(entry->path(), relative + "/", ancestors, files);
    } else if (S_ISREG(status.st_mode)) {
      files.push_back(relative);
    } else {
      fail(ExitCode::data, "{}: neither a file nor a folder; remove it", entry->path().string());
    }
  }
  if (error) fail_errno(error.value(), "cannot read", folder);
  ancestors.pop_back();
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  [[maybe_unused]] const int started = EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
  assert(started == 1);
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->context, digest, &size);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail_errno(errno, "cannot open", file);
  struct stat status = {};
  int error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  const bool regular = S_ISREG(status.st_mode);
  Sha256 hash;
  std::string buffer(1 << 20, '\0');
  while (error == 0 && regular) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got == 0) break;
    if (got > 0) {
      hash.update({buffer.data(), static_cast<std::size_t>(got)});
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  ::close(descriptor);
  if (error != 0) fail_errno(error, "cannot read", file);
  if (!regular)
    fail(ExitCode::io, "{}: not a regular file; give the path of a file", file.string());
  return hash.finish();
}

std::vector<std::string> files_in(const std::filesystem::path& folder) {
  std::vector<std::pair<dev_t, ino_t>> ancestors;
  std::vector<std::string> files;
  collect_files(folder, "", ancestors, files);
  std::sort(files.begin(), files.end());
  return files;
}

std::string sha256_folder(const std::filesystem::path& folder,
                          const std::function<bool(const std::string& relative)>& skip) {
  Sha256 hash;
  for (const std::string& relative : files_in(folder)) {
    if (skip && skip(relative)) continue;
    hash.update(relative);
    hash.update(std::string_view("\0", 1));
    hash.update(sha256_file(folder / relative));
    hash.update("\n");
  }
  return hash.finish();
}

}  // namespace finstill::base
