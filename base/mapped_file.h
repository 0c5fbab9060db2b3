#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace finstill::base {

/// A file's bytes, mapped read-only. The size is taken once: offsets must be checked against it.
/// (If another process cuts the file while it is mapped, reading past the new end kills this one;
/// model files are not edited in place.)
class MappedFile {
 public:
  /// Throws Error(io) when the file is missing or no regular file, Error(permission) when access is
  /// denied.
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::byte* data() const { return data_; }
  std::uint64_t size() const { return size_; }
  const std::filesystem::path& file() const { return file_; }

  /// Tells the system that these bytes will not be read again soon.
  void forget(std::uint64_t offset, std::uint64_t size) const;

 private:
  void close();

  std::filesystem::path file_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace finstill::base
