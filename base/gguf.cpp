#include "base/gguf.h"

#include "base/error.h"
#include "base/unicode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

namespace finstill::base {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF as read here is little-endian");

constexpr std::uint64_t most_entries = 1'000'000;  ///< metadata, tensors
constexpr std::uint64_t longest_key = 65'535;      ///< the format's own limit
constexpr std::uint64_t longest_tensor_name = 512;
constexpr std::uint32_t highest_gguf_rank = 4;  ///< ggml's own limit
constexpr int deepest_array = 4;
constexpr std::uint64_t largest_alignment = 1 << 20;

constexpr GgmlType types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},
    {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},   {14, "Q6_K", 256, 210},
    {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},         {25, "I16", 1, 2},        {26, "I32", 1, 4},
    {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17}};

/// Walks the bytes of a header; every step is checked against their end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return bytes_.size() - position_; }

  [[noreturn]] void refuse(const std::string& why) const {
    fail(ExitCode::data, "{}: at byte {}: {}", where_, position_, why);
  }

  template <typename T>
  T take() {
    need(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  std::string take_string(std::uint64_t longest) {
    const auto size = take<std::uint64_t>();
    if (size > longest)
      refuse(fmt::format("a string of {} bytes, where {} are allowed", size, longest));
    need(size);
    std::string text(reinterpret_cast<const char*>(bytes_.data()) + position_, size);
    position_ += size;
    return text;
  }

  /// A count of things that take at least `least_bytes` each.
  std::uint64_t take_count(std::uint64_t least_bytes, std::uint64_t most) {
    const auto count = take<std::uint64_t>();
    if (count > most || count > left() / least_bytes) {
      refuse(fmt::format("a count of {}, more than the file has room for; it is cut off or damaged",
                         count));
    }
    return count;
  }

 private:
  void need(std::uint64_t size) const {
    if (size > left()) refuse("the header ends here; the file is cut off or damaged");
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  std::uint64_t position_ = 0;
};

bool take_boolean(Cursor& cursor) {
  const auto byte = cursor.take<std::uint8_t>();
  if (byte > 1) cursor.refuse(fmt::format("a boolean of {}", byte));
  return byte == 1;
}

/// Calls `read` with a value of the C++ type that stores `type`; false for strings, booleans,
/// arrays and unknown types.
template <typename Read>
bool with_number_type(GgufType type, const Read& read) {
  switch (type) {
    case GgufType::u8:
      read(std::uint8_t{});
      return true;
    case GgufType::u16:
      read(std::uint16_t{});
      return true;
    case GgufType::u32:
      read(std::uint32_t{});
      return true;
    case GgufType::u64:
      read(std::uint64_t{});
      return true;
    case GgufType::i8:
      read(std::int8_t{});
      return true;
    case GgufType::i16:
      read(std::int16_t{});
      return true;
    case GgufType::i32:
      read(std::int32_t{});
      return true;
    case GgufType::i64:
      read(std::int64_t{});
      return true;
    case GgufType::f32:
      read(float{});
      return true;
    case GgufType::f64:
      read(double{});
      return true;
    default:
      return false;
  }
}

template <typename Stored>
using Wide =
    std::conditional_t<std::is_floating_point_v<Stored>, double,
                       std::conditional_t<std::is_signed_v<Stored>, std::int64_t, std::uint64_t>>;

GgufValue take_value(Cursor& cursor, GgufType type, int depth);

GgufValue take_array(Cursor& cursor, int depth) {
  if (depth > deepest_array) cursor.refuse("arrays nested too deep");
  GgufValue array;
  array.type = GgufType::array;
  array.element = static_cast<GgufType>(cursor.take<std::uint32_t>());
  const auto any = std::numeric_limits<std::uint64_t>::max();
  const bool numbers = with_number_type(array.element, [&]<typename Stored>(Stored) {
    std::vector<Wide<Stored>> values(cursor.take_count(sizeof(Stored), any));
    for (auto& value : values) value = cursor.take<Stored>();
    array.value = std::move(values);
  });
  if (numbers) return array;
  if (array.element == GgufType::boolean) {
    std::vector<bool> values(cursor.take_count(1, any));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = take_boolean(cursor);
    array.value = std::move(values);
  } else if (array.element == GgufType::string) {
    std::vector<std::string> values(cursor.take_count(8, any));
    for (std::string& value : values) value = cursor.take_string(any);
    array.value = std::move(values);
  } else if (array.element == GgufType::array) {
    const std::uint64_t count = cursor.take_count(12, any);
    std::vector<GgufValue> values;
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(take_array(cursor, depth + 1));
    array.value = std::move(values);
  } else {
    cursor.refuse(
        fmt::format("an array of the unknown type {}", static_cast<std::uint32_t>(array.element)));
  }
  return array;
}

GgufValue take_value(Cursor& cursor, GgufType type, int depth) {
  GgufValue value;
  value.type = type;
  const bool number = with_number_type(type, [&]<typename Stored>(Stored) {
    value.value = static_cast<Wide<Stored>>(cursor.take<Stored>());
  });
  if (number) return value;
  if (type == GgufType::boolean) {
    value.value = take_boolean(cursor);
  } else if (type == GgufType::string) {
    value.value = cursor.take_string(std::numeric_limits<std::uint64_t>::max());
  } else if (type == GgufType::array) {
    return take_array(cursor, depth + 1);
  } else {
    cursor.refuse(fmt::format("a value of the unknown type {}", static_cast<std::uint32_t>(type)));
  }
  return value;
}

void check_name(const Cursor& cursor, const std::string& name) {
  const bool controls =
      std::any_of(name.begin(), name.end(), [](char c) { return c >= 0 && c < ' '; });
  if (name.empty() || controls || !is_valid_utf8(name)) {
    cursor.refuse("a name that is empty, holds control characters or is no UTF-8");
  }
}

GgufTensor take_tensor(Cursor& cursor) {
  GgufTensor tensor;
  tensor.name = cursor.take_string(longest_tensor_name);
  check_name(cursor, tensor.name);
  const auto rank = cursor.take<std::uint32_t>();
  if (rank == 0 || rank > highest_gguf_rank) {
    cursor.refuse(fmt::format("tensor \"{}\" has {} dimensions, allowed are 1 to {}", tensor.name,
                              rank, highest_gguf_rank));
  }
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto size = cursor.take<std::uint64_t>();
    if (size == 0 || __builtin_mul_overflow(elements, size, &elements) ||
        elements > static_cast<std::uint64_t>(INT64_MAX)) {
      cursor.refuse(
          fmt::format("tensor \"{}\": its dimensions are 0 or larger than any file", tensor.name));
    }
    tensor.dimensions.push_back(static_cast<std::int64_t>(size));
  }
  const auto type = cursor.take<std::uint32_t>();
  tensor.type = find_ggml_type(type);
  if (tensor.type == nullptr) {
    cursor.refuse(fmt::format(
        "tensor \"{}\" has the unknown type {}; convert the model with a newer or plainer "
        "quantisation such as Q8_0",
        tensor.name, type));
  }
  if (static_cast<std::uint64_t>(tensor.dimensions[0]) % tensor.type->block != 0) {
    cursor.refuse(fmt::format("tensor \"{}\": rows of {} do not divide into blocks of {} ({})",
                              tensor.name, tensor.dimensions[0], tensor.type->block,
                              tensor.type->name));
  }
  if (__builtin_mul_overflow(elements / tensor.type->block, std::uint64_t{tensor.type->bytes},
                             &tensor.bytes)) {
    cursor.refuse(fmt::format("tensor \"{}\" is larger than any file", tensor.name));
  }
  tensor.offset = cursor.take<std::uint64_t>();
  return tensor;
}

/// Turns offsets into places in the file and checks that each tensor lies in it and no two share
/// bytes.
void place_tensors(GgufHeader& header, std::uint64_t header_end, std::uint64_t file_size) {
  const std::uint64_t mask = header.alignment - 1;
  const std::uint64_t start = (header_end + mask) & ~mask;
  std::vector<const GgufTensor*> sorted;
  for (GgufTensor& tensor : header.tensors) {
    const std::uint64_t room = file_size > start ? file_size - start : 0;
    if ((tensor.offset & mask) != 0 || tensor.offset > room ||
        tensor.bytes > room - tensor.offset) {
      fail(ExitCode::data,
           "{}: tensor \"{}\": its {} bytes at offset {} do not lie in the file ({} bytes of "
           "tensors); "
           "the file is cut off or damaged",
           header.where, tensor.name, tensor.bytes, tensor.offset, room);
    }
    tensor.offset += start;
    sorted.push_back(&tensor);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i - 1]->offset + sorted[i - 1]->bytes > sorted[i]->offset) {
      fail(ExitCode::data, "{}: tensors \"{}\" and \"{}\" share bytes; the file is damaged",
           header.where, sorted[i - 1]->name, sorted[i]->name);
    }
  }
}

void read_preamble(Cursor& cursor, GgufHeader& header) {
  if (cursor.left() < 24) cursor.refuse("too short for a GGUF file; it is cut off");
  char magic[4];
  for (char& c : magic) c = static_cast<char>(cursor.take<std::uint8_t>());
  if (std::string_view(magic, 4) != "GGUF")
    cursor.refuse("this is no GGUF file (it does not begin with \"GGUF\")");
  header.version = cursor.take<std::uint32_t>();
  if (header.version == 2 || header.version == 3) return;
  if ((header.version & 0xFFFF) == 0)
    cursor.refuse("a big-endian GGUF file; convert it to little-endian");
  cursor.refuse(fmt::format("GGUF version {}; versions 2 and 3 can be read", header.version));
}

}  // namespace

const GgmlType* find_ggml_type(std::uint32_t id) {
  for (const GgmlType& type : types) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

const GgmlType* find_ggml_type(std::string_view name) {
  for (const GgmlType& type : types) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::int64_t GgufTensor::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t size : dimensions) product *= size;
  return product;
}

GgufHeader parse_gguf(std::span<const std::byte> bytes, std::uint64_t file_size,
                      const std::string& where) {
  GgufHeader header;
  header.where = where;
  Cursor cursor(bytes, where);
  read_preamble(cursor, header);
  const std::uint64_t tensor_count = cursor.take_count(32, most_entries);
  const std::uint64_t metadata_count = cursor.take_count(13, most_entries);
  std::set<std::string> names;
  for (std::uint64_t i = 0; i < metadata_count; ++i) {
    std::string key = cursor.take_string(longest_key);
    check_name(cursor, key);
    if (!names.insert(key).second)
      cursor.refuse(fmt::format("the key \"{}\" stands here twice", printable(key)));
    const auto type = static_cast<GgufType>(cursor.take<std::uint32_t>());
    header.metadata.emplace_back(std::move(key), take_value(cursor, type, 0));
  }
  names.clear();
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    header.tensors.push_back(take_tensor(cursor));
    if (!names.insert(header.tensors.back().name).second) {
      cursor.refuse(fmt::format("the tensor \"{}\" stands here twice",
                                printable(header.tensors.back().name)));
    }
  }
  const std::int64_t alignment = header.integer("general.alignment", 32);
  if (alignment < 1 || alignment > static_cast<std::int64_t>(largest_alignment) ||
      !std::has_single_bit(static_cast<std::uint64_t>(alignment))) {
    fail(ExitCode::data, "{}: \"general.alignment\" is {}, which is no power of two up to {}",
         where, alignment, largest_alignment);
  }
  header.alignment = static_cast<std::uint64_t>(alignment);
  place_tensors(header, cursor.position(), file_size);
  return header;
}

GgufFile::GgufFile(const std::filesystem::path& file)
    : mapped_(file), header_(parse_gguf(mapped_.bytes(), mapped_.size(), file.string())) {}

std::span<const std::byte> GgufFile::bytes(const GgufTensor& tensor) const {
  return mapped_.bytes().subspan(tensor.offset, tensor.bytes);
}

}  // namespace finstill::base
