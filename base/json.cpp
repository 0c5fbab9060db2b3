// Strict JSON over nlohmann's SAX parser: its own tree builder keeps the last of two equal keys,
// turns integers past 64 bits into doubles, has no depth limit and reports no line.

#include "base/json.h"

#include "base/error.h"
#include "base/file.h"
#include "base/unicode.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace finstill::base {
namespace {

constexpr std::size_t deepest_json = 256;
constexpr std::uint64_t largest_file = std::uint64_t{1} << 30;

/// Reads bytes and remembers how far the parser has come, which SAX events do not say.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  const char& operator*() const { return *at_; }
  CountingIterator& operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

class JsonTree {
 public:
  JsonTree(std::string_view text, std::string_view where, std::int64_t first_line)
      : text_(text), where_(where), first_line_(first_line), position_(text.data()) {}

  const char** position() { return &position_; }
  Json take() { return std::move(root_); }

  bool null() { return place(nullptr); }
  bool boolean(bool value) { return place(value); }
  bool number_integer(Json::number_integer_t value) { return place(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return place(value); }
  bool number_float(double value, const std::string& spelling) {
    if (spelling.find_first_of(".eE") == std::string::npos) {
      refuse(offset(),
             fmt::format("the integer {} does not fit into 64 bits", spelling.substr(0, 40)));
    }
    return place(value);
  }
  bool string(std::string& value) { return place(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    if (!open_.back().keys.insert(name).second) {
      refuse(offset(), fmt::format("the key \"{}\" stands twice in one object", printable(name)));
    }
    open_.back().key = std::move(name);
    return true;
  }

  /// The parser would take it for the end, and what stands behind it would be lost.
  void refuse_nul() const {
    if (const std::size_t at = text_.find('\0'); at != std::string_view::npos)
      refuse(at, "a NUL byte: the file is damaged, or no text");
  }

  bool parse_error(std::size_t at, const std::string&, const Json::exception& error) {
    if (const std::size_t bad = find_invalid_utf8(text_);
        bad != std::string_view::npos && bad <= at)
      refuse(bad, "not valid UTF-8: convert the file first (iconv -f ENCODING -t utf-8)");
    // "[json.exception.parse_error.101] parse error at line 1, column 2: WHAT"; a line of our own
    // stands before it.
    const std::string_view message = error.what();
    const std::size_t column = message.find("column ");
    const std::size_t colon = message.find(": ", column == std::string_view::npos ? 0 : column);
    const std::string_view what =
        colon == std::string_view::npos ? message : message.substr(colon + 2);
    refuse(at == 0 ? 0 : at - 1, fmt::format("not valid JSON: {}", printable(what, 200)));
  }

 private:
  struct Level {
    Json* value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  std::size_t offset() const { return static_cast<std::size_t>(position_ - text_.data()); }

  [[noreturn]] void refuse(std::size_t offset, const std::string& why) const {
    const std::string_view before = text_.substr(0, std::min(offset, text_.size()));
    const std::size_t newline = before.rfind('\n');
    const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
    fail(ExitCode::data, "{}:{}:{}: {}", where_,
         first_line_ + std::count(before.begin(), before.end(), '\n'),
         count_code_points(before.substr(start)) + 1, why);
  }

  /// Parents do not grow while a child is open, so the pointers in open_ stay good.
  Json* put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // ordered_map looks for an equal key at each insertion, which a vocabulary of 150,000 keys
    // cannot afford; keys are known to be unique here, so the vector below it takes the pair at
    // once.
    auto& object = parent.get_ref<Json::object_t&>();
    object.Json::object_t::Container::emplace_back(std::move(open_.back().key), std::move(value));
    return &object.back().second;
  }

  bool place(Json value) {
    put(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (open_.size() >= deepest_json)
      refuse(offset(), fmt::format("nested deeper than {} levels", deepest_json));
    Json* placed = put(std::move(value));
    open_.push_back({placed, {}, {}});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_, where_;
  std::int64_t first_line_;
  const char* position_;
  Json root_;
  std::vector<Level> open_;
};

void refuse_non_finite(const Json& value) {
  if (value.is_structured()) {
    for (const Json& member : value) refuse_non_finite(member);
  } else if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    fail(ExitCode::internal, "JSON cannot hold the number {}", value.get<double>());
  }
}

/// The member, or nullptr when it is missing or null.
const Json* present(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) fail(ExitCode::data, "{}: expected an object with \"{}\"", where, key);
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& required(const Json& object, std::string_view key, std::string_view where) {
  const Json* member = present(object, key, where);
  if (member == nullptr) fail(ExitCode::data, "{}: \"{}\" is missing", where, key);
  return *member;
}

[[noreturn]] void refuse_type(std::string_view where, std::string_view key, const Json& value,
                              std::string_view what) {
  fail(ExitCode::data, "{}: \"{}\" must be {}, not {}", where, printable(key), what,
       printable(dump_json(value)));
}

std::int64_t integer_of(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_number_integer()) refuse_type(where, key, value, "an integer");
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    refuse_type(where, key, value, "an integer below 2^63");
  }
  return value.get<std::int64_t>();
}

double number_of(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_number()) refuse_type(where, key, value, "a number");
  return value.get<double>();
}

std::string string_of(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_string()) refuse_type(where, key, value, "a string");
  return value.get<std::string>();
}

struct Difference {
  std::string path;  ///< dotted; empty when the values themselves differ
  const Json* left;  ///< null where there is none
  const Json* right;
};

std::optional<Difference> find_difference(const Json& a, const Json& b, const std::string& path) {
  if (!a.is_object() || !b.is_object())
    return a == b ? std::nullopt : std::optional(Difference{path, &a, &b});
  const std::string stem = path.empty() ? "" : path + ".";
  for (const auto& [key, value] : a.items()) {
    const auto other = b.find(key);
    if (other == b.end()) return Difference{stem + key, &value, nullptr};
    if (auto deeper = find_difference(value, *other, stem + key)) return deeper;
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) return Difference{stem + key, nullptr, &value};
  }
  return std::nullopt;
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where, std::int64_t first_line) {
  JsonTree builder(text, where, first_line);
  builder.refuse_nul();
  const char* end = text.data() + text.size();
  Json::sax_parse(CountingIterator(text.data(), builder.position()),
                  CountingIterator(end, builder.position()), &builder);
  return builder.take();
}

Json read_json(const std::filesystem::path& file) {
  return parse_json(read_file(file, largest_file), file.string());
}

std::string dump_json(const Json& value) {
  refuse_non_finite(value);
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string first_difference(const Json& a, const Json& b) {
  const auto found = find_difference(a, b, "");
  if (!found) return "";
  return found->path.empty() ? "." : found->path;
}

std::string describe_difference(const Json& there, const Json& now) {
  const auto found = find_difference(there, now, "");
  if (!found) return "";
  const auto shown = [](const Json* value) {
    const std::string text = value == nullptr ? "null" : dump_json(*value);
    return text.size() > 60 ? std::string("something else") : text;
  };
  return fmt::format("{}: {} there, {} now", found->path, shown(found->left), shown(found->right));
}

std::int64_t json_integer(const Json& object, std::string_view key, std::string_view where) {
  return integer_of(required(object, key, where), key, where);
}

std::int64_t json_integer(const Json& object, std::string_view key, std::string_view where,
                          std::int64_t fallback) {
  const Json* value = present(object, key, where);
  return value == nullptr ? fallback : integer_of(*value, key, where);
}

double json_number(const Json& object, std::string_view key, std::string_view where) {
  return number_of(required(object, key, where), key, where);
}

double json_number(const Json& object, std::string_view key, std::string_view where,
                   double fallback) {
  const Json* value = present(object, key, where);
  return value == nullptr ? fallback : number_of(*value, key, where);
}

std::string json_string(const Json& object, std::string_view key, std::string_view where) {
  return string_of(required(object, key, where), key, where);
}

std::string json_string(const Json& object, std::string_view key, std::string_view where,
                        std::string_view fallback) {
  const Json* value = present(object, key, where);
  return value == nullptr ? std::string(fallback) : string_of(*value, key, where);
}

bool json_bool(const Json& object, std::string_view key, std::string_view where, bool fallback) {
  const Json* value = present(object, key, where);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse_type(where, key, *value, "true or false");
  return value->get<bool>();
}

}  // namespace finstill::base
