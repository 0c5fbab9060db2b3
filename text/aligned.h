#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::text {

/// A text that remembers from which bytes of its source each of its bytes came, through any number
/// of rewrites. Without offsets asked for, it is a plain string and rewriting costs nothing more.
/// It may become 16 times as long as its source and 1 MiB, no longer: tokenizer files say what is
/// rewritten, and a few lines of one could fill any memory.
class Aligned {
 public:
  Aligned() = default;
  /// `source` starts at byte `origin` of the whole; `tracked` = keep offsets.
  Aligned(std::string_view source, std::int64_t origin, bool tracked)
      : text_(source),
        origin_(origin),
        tracked_(tracked),
        longest_(16 * source.size() + (std::size_t{1} << 20)) {}

  const std::string& text() const { return text_; }
  std::int64_t origin() const { return origin_; }  ///< where the source starts
  bool tracked() const { return tracked_; }

  /// The stretch [begin, end) as a text of its own.
  Aligned part(std::size_t begin, std::size_t end) const;

  /// Source bytes [source_begin(b), source_end(e - 1)) belong to the text bytes [b, e).
  std::int64_t source_begin(std::size_t position) const {
    return begin_.empty() ? origin_ + static_cast<std::int64_t>(position) : begin_[position];
  }
  std::int64_t source_end(std::size_t position) const {
    return begin_.empty() ? origin_ + static_cast<std::int64_t>(position) + 1 : end_[position];
  }

 private:
  friend class Rewriter;
  std::string text_;
  std::int64_t origin_ = 0;
  bool tracked_ = false;
  std::size_t longest_ = std::size_t{1} << 20;
  std::vector<std::int64_t> begin_,
      end_;  ///< one a byte of text_; empty while text_ is the source itself
};

/// Builds a rewritten text from left to right; replaces the old one at finish().
class Rewriter {
 public:
  explicit Rewriter(Aligned& aligned) : old_(aligned) { text_.reserve(aligned.text_.size() + 16); }

  // Both throw Error(data) when the text becomes longer than it may.

  /// Keeps the old bytes [begin, end).
  void keep(std::size_t begin, std::size_t end);
  /// Writes `text` for the old bytes [begin, end); begin == end inserts.
  void replace(std::size_t begin, std::size_t end, std::string_view text);
  std::size_t size() const { return text_.size(); }
  void finish();

 private:
  void check_room(std::size_t bytes) const;

  Aligned& old_;
  std::string text_;
  std::vector<std::int64_t> begin_, end_;
};

}  // namespace finstill::text
