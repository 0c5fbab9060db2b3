// sentencepiece_model.proto, as far as it matters here:
//   ModelProto      1 repeated SentencePiece pieces, 2 TrainerSpec, 3 NormalizerSpec,
//                   5 NormalizerSpec denormalizer
//   SentencePiece   1 string piece, 3 enum type
//   TrainerSpec     3 enum model_type, 24 bool treat_whitespace_as_suffix, 35 bool byte_fallback
//   NormalizerSpec  2 bytes precompiled_charsmap = u32 size of the array in bytes, the array (u32
//                   units), strings that end in NUL; 3 bool add_dummy_prefix, 4 bool
//                   remove_extra_whitespaces, 5 bool escape_whitespaces. A unit holds an offset to
//                   its children, a label, and for a leaf the place of its string.

#include "text/sentencepiece_check.h"

#include <cstdint>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

/// Walks the fields of one message.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;  ///< of a varint field
    std::string_view bytes;   ///< of a length-delimited field
  };

  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    Field field{key >> 3, 0, {}};
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        broken();
    }
    return field;
  }

 private:
  [[noreturn]] void broken() const {
    fail(ExitCode::data,
         "{}: not a sentencepiece model (nor lines of base64 and rank): the file is cut off or "
         "damaged",
         where_);
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) broken();
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    broken();
  }

  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) broken();
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  std::string_view rest_;
  const std::string& where_;
};

std::uint32_t unit_at(std::string_view array, std::size_t index) {
  std::uint32_t unit = 0;
  std::memcpy(&unit, array.data() + index * sizeof unit, sizeof unit);
  return unit;
}

/// The library walks: position ^= offset(unit), then ^= next byte; it stops at a unit whose label
/// is another byte. So every position of a block of 256 that some unit points to is read.
bool is_sound(std::string_view map) {
  if (map.size() <= 4) return false;
  const std::uint32_t size = unit_at(map, 0);
  if (size % 4 != 0 || size == 0 || size >= map.size() - 4) return false;
  const std::string_view array = map.substr(4, size), strings = map.substr(4 + size);
  if (strings.empty() || strings.back() != '\0') return false;
  const std::size_t units = size / 4;
  for (std::size_t i = 0; i < units; ++i) {
    const std::uint32_t unit = unit_at(array, i);
    // A leaf: its value is checked where it is pointed to. The walk begins at the first unit,
    // whatever it calls itself.
    if (unit >> 31 != 0 && i > 0) continue;
    const std::size_t children = i ^ (std::size_t{unit >> 10} << ((unit & (1u << 9)) >> 6));
    if ((children | 0xFF) >= units) return false;
    const bool has_leaf = (unit >> 8 & 1) != 0;
    if (has_leaf && (unit_at(array, children) & 0x7FFFFFFF) >= strings.size()) return false;
  }
  return true;
}

/// TrainerSpec.model_type and SentencePiece.type, as far as they matter.
constexpr std::uint64_t model_type_bpe = 2;
constexpr std::uint64_t piece_type_user_defined = 4, piece_type_unused = 5;

}  // namespace

SentencepieceFacts check_sentencepiece_model(std::string_view bytes, const std::string& where) {
  SentencepieceFacts facts;
  bool is_bpe = false, is_plain = true;
  std::size_t pieces = 0;
  const auto read_piece = [&](Fields piece) {
    ++pieces;
    while (const auto member = piece.next()) {
      // The library takes pieces for C strings and throws on one that ends before it begins.
      if (member->number == 1 && member->bytes.find('\0') != std::string_view::npos)
        fail(ExitCode::data, "{}: piece {} holds a zero byte", where, pieces - 1);
      if (member->number == 1 && !base::is_valid_utf8(member->bytes))
        fail(ExitCode::data, "{}: piece {} is not valid UTF-8", where, pieces - 1);
      if (member->number == 3 &&
          (member->value == piece_type_user_defined || member->value == piece_type_unused))
        is_plain = false;
    }
  };
  const auto read_trainer = [&](Fields trainer) {
    while (const auto member = trainer.next()) {
      if (member->number == 3) is_bpe = member->value == model_type_bpe;
      if (member->number == 24 && member->value != 0) is_plain = false;  // spaces behind words
      if (member->number == 35) facts.byte_fallback = member->value != 0;
    }
  };
  const auto read_normalizer = [&](Fields normalizer, bool of_input) {
    while (const auto member = normalizer.next()) {
      if (member->number == 2 && !member->bytes.empty()) {
        if (!is_sound(member->bytes))
          fail(ExitCode::data, "{}: the sentencepiece model's character map is damaged", where);
        is_plain = false;
      }
      if (!of_input) continue;
      if (member->number == 3) facts.adds_prefix = member->value != 0;
      if (member->number == 4) facts.joins_spaces = member->value != 0;
      if (member->number == 5 && member->value == 0) is_plain = false;  // spaces stay spaces
    }
  };
  Fields model(bytes, where);
  while (const auto field = model.next()) {
    if (field->number == 1) read_piece({field->bytes, where});
    if (field->number == 2) read_trainer({field->bytes, where});
    if (field->number == 3 || field->number == 5)
      read_normalizer({field->bytes, where}, field->number == 3);
  }
  if (pieces == 0) fail(ExitCode::data, "{}: the sentencepiece model has no pieces", where);
  facts.plain_bpe = is_bpe && is_plain;
  return facts;
}

}  // namespace finstill::text
