#pragma once

// safetensors: 8 bytes little-endian N, N bytes of JSON header, then the tensors' bytes.
//
//   {"__metadata__": {"format": "pt"},
//    "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
//
// Offsets count from the end of the header. A file is refused unless: N <= 100 MB and 8 + N <= its
// size; the header is strict JSON that begins with '{'; names are unique, at most 1M, each at most
// 512 bytes without NUL; rank <= 8; the dtype is known; shape times dtype equals the byte length
// without overflow; ranges are ordered, without hole or overlap, and end at the end of the file;
// metadata are strings.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/mapped_file.h"

namespace finstill::base {

/// Bits of one element of a safetensors dtype ("F32", "BF16", "I64", ...), or std::nullopt for an
/// unknown name.
std::optional<int> safetensors_bits(std::string_view dtype);

struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes, counted from the end of the header
};

struct SafetensorsHeader {
  std::uint64_t data_start = 0;           ///< offset of the first tensor byte in the file
  std::vector<SafetensorsEntry> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;

  const SafetensorsEntry* find(std::string_view name) const;
};

/// Checks and reads a header. `bytes` holds the file from its first byte through at least the
/// header; `file_size` is the whole file's. Throws Error(data) beginning with `where`.
SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, std::uint64_t file_size,
                                    const std::string& where);

/// One mapped file. Bytes may lie at any alignment: copy them, do not cast the pointer.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& file);

  const SafetensorsHeader& header() const { return header_; }
  std::span<const std::byte> bytes(const SafetensorsEntry& entry) const;
  /// Its bytes were copied: they need not stay in memory.
  void forget(const SafetensorsEntry& entry) const;
  const std::filesystem::path& file() const { return mapped_.file(); }

 private:
  MappedFile mapped_;
  SafetensorsHeader header_;
};

/// The tensors of a model folder: `stem`.safetensors, or the shards that
/// `stem`.safetensors.index.json names.
class SafetensorsFolder {
 public:
  /// Throws Error(io) when neither is there (naming a .bin or .pt that lies there instead: pickle
  /// is never read), Error(data) for a damaged file, a shard name that leaves the folder, or an
  /// index that does not match its shards.
  explicit SafetensorsFolder(const std::filesystem::path& folder,
                             const std::string& stem = "model");

  struct Tensor {
    const SafetensorsEntry* entry = nullptr;
    const SafetensorsFile* file = nullptr;

    std::span<const std::byte> bytes() const { return file->bytes(*entry); }
  };

  /// Sorted by name.
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  const Tensor* find(std::string_view name) const;
  std::uint64_t total_bytes() const;
  const std::map<std::string, std::string>& metadata() const {
    return files_.front()->header().metadata;
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

/// Writes `stem`.safetensors, or over `shard_bytes` the files `stem`-00001-of-0000N.safetensors and
/// `stem`.safetensors.index.json, as transformers reads them. Each file is atomic; the index comes
/// last.
class SafetensorsWriter {
 public:
  struct Spec {
    std::string name, dtype;
    std::vector<std::int64_t> shape;
  };

  /// Checks the disk for room. `specs` says every tensor in the order in which write() will get
  /// them.
  SafetensorsWriter(std::filesystem::path folder, std::string stem, std::vector<Spec> specs,
                    std::map<std::string, std::string> metadata = {{"format", "pt"}},
                    std::uint64_t shard_bytes = 5'000'000'000);
  ~SafetensorsWriter();

  /// The next tensor's bytes (row-major, little-endian); a wrong name or size is a bug (assert).
  void write(std::string_view name, std::span<const std::byte> bytes);
  /// Ends the last file, removes files of an earlier model of this stem that are no longer part of
  /// it, writes the index.
  void commit();

 private:
  struct Shard {
    std::string file;
    std::size_t begin = 0, end = 0;  ///< of specs_
  };

  void open_shard();

  std::filesystem::path folder_;
  std::string stem_;
  std::vector<Spec> specs_;
  std::map<std::string, std::string> metadata_;
  std::vector<Shard> shards_;
  std::size_t shard_ = 0, next_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::unique_ptr<AtomicFile> out_;
};

}  // namespace finstill::base
