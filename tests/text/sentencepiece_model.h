#pragma once

// Small sentencepiece models written by hand (text/sentencepiece_check.cpp has the layout).

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::tests {

struct SentencepieceModel {
  struct Piece {
    std::string text;
    float score = 0;
    int type = 1;  ///< 1 normal, 2 unknown, 3 control, 4 user defined, 6 byte
  };

  std::vector<Piece> pieces = {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
  int model_type = 2;  ///< 1 unigram, 2 BPE
  bool byte_fallback = true;
  bool adds_prefix = true;
  bool joins_spaces = true;

  /// The words and what is on the way to them: each is made from its beginning, letter by letter.
  void add_words(const std::vector<std::string>& words) {
    float score = -1;
    for (const std::string& word : words)
      for (const char letter : word) add(std::string(1, letter), -1000);
    add("\u2581", -1000);
    for (const std::string& word : words) {
      for (std::size_t length = 2; length <= word.size(); ++length)
        add(word.substr(0, length), score--);
      add("\u2581" + word, score--);
    }
  }

  void add_bytes() {
    constexpr char digits[] = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte)
      pieces.push_back({{'<', '0', 'x', digits[byte / 16], digits[byte % 16], '>'}, 0, 6});
  }

  std::string bytes() const {
    std::string model;
    for (const Piece& piece : pieces) {
      std::string member = field(1, piece.text);
      member += '\x15';  // 2, four bytes
      char score[4];
      std::memcpy(score, &piece.score, sizeof score);
      member.append(score, sizeof score);
      member += number(3, piece.type);
      model += field(1, member);
    }
    model += field(2, number(3, model_type) + number(35, byte_fallback));
    return model +
           field(3, field(1, "identity") + number(3, adds_prefix) + number(4, joins_spaces));
  }

 private:
  void add(const std::string& text, float score) {
    for (const Piece& piece : pieces)
      if (piece.text == text) return;
    pieces.push_back({text, score});
  }

  static std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
  }
  static std::string number(int field, int value) {
    return varint(static_cast<std::uint64_t>(field) << 3) +
           varint(static_cast<std::uint64_t>(value));
  }
  static std::string field(int number, std::string_view bytes) {
    return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) +
           std::string(bytes);
  }
};

}  // namespace finstill::tests
