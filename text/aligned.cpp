#include "text/aligned.h"

#include <utility>

#include "base/error.h"

namespace finstill::text {

Aligned Aligned::part(std::size_t begin, std::size_t end) const {
  Aligned result(std::string_view(text_).substr(begin, end - begin),
                 origin_ + static_cast<std::int64_t>(begin), tracked_);
  result.longest_ = longest_;
  if (begin_.empty() || begin == end) return result;
  result.origin_ = begin_[begin];
  result.begin_.assign(begin_.begin() + begin, begin_.begin() + end);
  result.end_.assign(end_.begin() + begin, end_.begin() + end);
  return result;
}

void Rewriter::check_room(std::size_t bytes) const {
  if (text_.size() + bytes <= old_.longest_) return;
  base::fail(base::ExitCode::data,
             "the tokenizer's normalizer makes more than {} bytes of a text: its replacements are "
             "a mistake or an attack",
             old_.longest_);
}

void Rewriter::keep(std::size_t begin, std::size_t end) {
  check_room(end - begin);
  text_.append(old_.text_, begin, end - begin);
  if (!old_.tracked_) return;
  for (std::size_t i = begin; i < end; ++i) {
    begin_.push_back(old_.source_begin(i));
    end_.push_back(old_.source_end(i));
  }
}

void Rewriter::replace(std::size_t begin, std::size_t end, std::string_view text) {
  check_room(text.size());
  text_ += text;
  if (!old_.tracked_) return;
  std::int64_t from, to;
  if (begin < end) {
    from = old_.source_begin(begin);
    to = old_.source_end(end - 1);
  } else {  // an insertion stands for nothing: an empty range where the next byte starts
    from = begin < old_.text_.size() ? old_.source_begin(begin)
           : begin > 0               ? old_.source_end(begin - 1)
                                     : old_.origin_;
    to = from;
  }
  begin_.insert(begin_.end(), text.size(), from);
  end_.insert(end_.end(), text.size(), to);
}

void Rewriter::finish() {
  old_.text_ = std::move(text_);
  old_.begin_ = std::move(begin_);
  old_.end_ = std::move(end_);
}

}  // namespace finstill::text
