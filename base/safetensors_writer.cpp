#include "base/safetensors.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

#include <algorithm>
#include <cassert>
#include <set>

namespace finstill::base {
namespace {

std::uint64_t bytes_of(const SafetensorsWriter::Spec& spec) {
  const auto bits = safetensors_bits(spec.dtype);
  assert(bits && "a dtype of the format");
  std::uint64_t total = static_cast<std::uint64_t>(*bits);
  for (const std::int64_t size : spec.shape) total *= static_cast<std::uint64_t>(size);
  return total / 8;
}

/// The length, the header, and blanks that put the first tensor at a multiple of 8.
std::string header_bytes(std::span<const SafetensorsWriter::Spec> specs,
                         const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  auto& entries = header.get_ref<Json::object_t&>();
  std::uint64_t offset = 0;
  for (const auto& spec : specs) {
    const std::uint64_t end = offset + bytes_of(spec);
    // Past ordered_map's search for an equal key, which costs the square of the number of tensors.
    entries.Json::object_t::Container::emplace_back(
        spec.name, Json{{"dtype", spec.dtype},
                        {"shape", spec.shape},
                        {"data_offsets", Json::array({offset, end})}});
    offset = end;
  }
  std::string text = dump_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>((text.size() >> (8 * i)) & 0xFF);
  return bytes + text;
}

bool is_shard_of(std::string_view name, std::string_view stem) {
  return name.starts_with(stem) && name.ends_with(".safetensors") &&
         (name.size() == stem.size() + 12 ||
          (name.size() == stem.size() + 27 && name.substr(stem.size(), 1) == "-" &&
           name.substr(stem.size() + 6, 4) == "-of-"));
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path folder, std::string stem,
                                     std::vector<Spec> specs,
                                     std::map<std::string, std::string> metadata,
                                     std::uint64_t shard_bytes)
    : folder_(std::move(folder)),
      stem_(std::move(stem)),
      specs_(std::move(specs)),
      metadata_(std::move(metadata)) {
  std::uint64_t in_shard = 0;
  shards_.emplace_back();
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const std::uint64_t size = bytes_of(specs_[i]);
    if (in_shard > 0 && in_shard + size > shard_bytes) {
      shards_.push_back({"", i, i});
      in_shard = 0;
    }
    shards_.back().end = i + 1;
    in_shard += size;
    total_bytes_ += size;
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].file = shards_.size() == 1 ? stem_ + ".safetensors"
                                          : fmt::format("{}-{:05}-of-{:05}.safetensors", stem_,
                                                        i + 1, shards_.size());
  }
  make_folder(folder_);
  check_free_space(folder_, total_bytes_ + (std::uint64_t{1} << 20));
  open_shard();
}

SafetensorsWriter::~SafetensorsWriter() = default;

void SafetensorsWriter::open_shard() {
  const Shard& shard = shards_[shard_];
  out_ = std::make_unique<AtomicFile>(folder_ / shard.file);
  out_->write(
      header_bytes(std::span(specs_).subspan(shard.begin, shard.end - shard.begin), metadata_));
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  assert(next_ < specs_.size() && specs_[next_].name == name &&
         bytes.size() == bytes_of(specs_[next_]));
  (void)name;
  if (next_ == shards_[shard_].end) {
    out_->commit();
    ++shard_;
    open_shard();
  }
  out_->write(bytes.data(), bytes.size());
  ++next_;
}

void SafetensorsWriter::commit() {
  assert(next_ == specs_.size() && "every tensor was written");
  out_->commit();
  out_.reset();
  const std::filesystem::path index = folder_ / (stem_ + ".safetensors.index.json");
  std::set<std::string> ours;
  for (const Shard& shard : shards_) ours.insert(shard.file);
  for (const std::string& name : files_in(folder_)) {
    if (is_shard_of(name, stem_) && !ours.contains(name)) base::remove_all(folder_ / name);
  }
  if (shards_.size() == 1) {
    base::remove_all(index);
    return;
  }
  std::map<std::string, std::string> homes;
  for (const Shard& shard : shards_) {
    for (std::size_t i = shard.begin; i < shard.end; ++i) homes[specs_[i].name] = shard.file;
  }
  const Json json{{"metadata", {{"total_size", total_bytes_}}}, {"weight_map", homes}};
  write_file_atomic(index, json.dump(2) + "\n");
}

}  // namespace finstill::base
