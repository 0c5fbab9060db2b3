#include "text/tokenizer_json_reader.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

namespace {

constexpr std::size_t deepest_nesting = 64;

/// Receives the events of nlohmann's SAX parser.
class Reader {
 public:
  Reader(std::string_view text, const std::string& where, bool lists, RawTokenizerJson& result)
      : text_(text), where_(where), lists_(lists), result_(result) {}

  bool null() { return value(nullptr); }
  bool boolean(bool v) { return value(v); }
  bool number_integer(std::int64_t v) { return value(v); }
  bool number_float(double v, const std::string&) { return value(v); }
  bool binary(Json::binary_t&) { return false; }

  bool number_unsigned(std::uint64_t v) {
    if (mode_ != Mode::vocabulary) return value(v);
    if (v > INT32_MAX)
      fail(ExitCode::data, "{}: model.vocab: the id {} of \"{}\" is too large", where_, v, key_);
    result_.vocabulary.emplace_back(std::move(key_), static_cast<std::int64_t>(v));
    return true;
  }

  bool string(std::string& v) {
    if (mode_ == Mode::merges) return merge_text(v);
    if (mode_ == Mode::merge_pair) {
      pair_.push_back(std::move(v));
      return true;
    }
    return value(std::move(v));
  }

  bool start_object(std::size_t) {
    if (mode_ != Mode::tree) fail_in_list();
    if (lists_ && at("model", "vocab")) {
      mode_ = Mode::vocabulary;
      result_.has_vocabulary = true;
      names_.back().insert(key_);
      return true;
    }
    return open(Json::object());
  }

  bool key(std::string& name) {
    if (mode_ == Mode::tree) {
      if (names_.back().contains(name))
        fail(ExitCode::data, "{}: the key \"{}\" stands twice in one object", where_, name);
    }
    key_ = std::move(name);
    return true;
  }

  bool end_object() {
    if (mode_ == Mode::vocabulary) {
      mode_ = Mode::tree;
      return true;
    }
    return close();
  }

  bool start_array(std::size_t) {
    if (mode_ == Mode::merges) {
      mode_ = Mode::merge_pair;
      pair_.clear();
      return true;
    }
    if (mode_ != Mode::tree) fail_in_list();
    if (lists_ && at("model", "merges")) {
      mode_ = Mode::merges;
      result_.has_merges = true;
      names_.back().insert(key_);
      return true;
    }
    return open(Json::array());
  }

  bool end_array() {
    if (mode_ == Mode::merge_pair) {
      if (pair_.size() != 2) fail_in_list();
      result_.merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
      mode_ = Mode::merges;
      return true;
    }
    if (mode_ == Mode::merges) {
      mode_ = Mode::tree;
      return true;
    }
    return close();
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) {
    const std::string_view before =
        text_.substr(0, std::min(position > 0 ? position - 1 : 0, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t column =
        before.size() -
        (before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1) + 1;
    std::string reason = error.what();
    const std::size_t colon = reason.find("; ");  // nlohmann repeats what it read so far behind it
    if (colon != std::string::npos) reason.resize(colon);
    const std::size_t start = reason.find(": ");
    fail(ExitCode::data, "{}:{}:{}: not valid JSON: {}", where_, line, column,
         start == std::string::npos ? reason : reason.substr(start + 2));
  }

 private:
  enum class Mode { tree, vocabulary, merges, merge_pair };

  bool at(std::string_view outer, std::string_view inner) const {
    return stack_.size() == 2 && path_ == outer && key_ == inner;
  }

  [[noreturn]] void fail_in_list() const {
    if (mode_ == Mode::vocabulary) {
      fail(ExitCode::data, "{}: model.vocab: the id of \"{}\" is not an integer from 0", where_,
           key_);
    }
    fail(ExitCode::data, "{}: model.merges[{}]: expected \"a b\" or [\"a\", \"b\"]", where_,
         result_.merges.size());
  }

  bool merge_text(const std::string& text) {
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
      fail_in_list();
    result_.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    return true;
  }

  /// Puts a value into the tree where it belongs and returns its place.
  Json& place(Json value) {
    if (stack_.empty()) {
      result_.tree = std::move(value);
      return result_.tree;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return parent.back();
    }
    names_.back().insert(key_);
    auto& members = parent.get_ref<Json::object_t&>();
    members.push_back({key_, std::move(value)});
    return members.back().second;
  }

  bool value(Json value) {
    if (mode_ != Mode::tree) fail_in_list();
    place(std::move(value));
    return true;
  }

  bool open(Json empty) {
    if (stack_.size() >= deepest_nesting)
      fail(ExitCode::data, "{}: nested deeper than {} levels", where_, deepest_nesting);
    if (stack_.size() == 1) path_ = key_;
    stack_.push_back(&place(std::move(empty)));
    names_.emplace_back();
    return true;
  }

  bool close() {
    stack_.pop_back();
    names_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& where_;
  bool lists_;
  RawTokenizerJson& result_;
  Mode mode_ = Mode::tree;
  std::vector<Json*> stack_;
  std::vector<std::set<std::string>> names_;  ///< of each open object
  std::string key_, path_;                    ///< path_: the key of the open member of the root
  std::vector<std::string> pair_;
};

}  // namespace

RawTokenizerJson parse_tokenizer_json(std::string_view text, const std::string& where, bool lists) {
  RawTokenizerJson result;
  Reader reader(text, where, lists, result);
  Json::sax_parse(text.begin(), text.end(), &reader);
  return result;
}

}  // namespace finstill::text
