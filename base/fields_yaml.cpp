// YAML text -> ConfigNode. yaml-cpp's node tree keeps the first of two equal keys, expands aliases
// without limit and forgets quotes, so the tree is built here from its parser events.

#include "base/fields.h"

#include "base/error.h"
#include "base/file.h"
#include "base/unicode.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

namespace finstill::base {
namespace {

constexpr std::size_t largest_text = 1 << 20;
constexpr std::size_t deepest_yaml = 64;
constexpr std::size_t most_keys = 10'000;  ///< of one map: they are searched one by one

/// Turns yaml-cpp's line and byte column (both from 0) into a place.
class Places {
 public:
  Places(std::string_view text, const std::string& source) : text_(text), source_(source) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  std::size_t offset(const YAML::Mark& mark) const {
    if (mark.line < 0 || static_cast<std::size_t>(mark.line) >= starts_.size()) return text_.size();
    return std::min(text_.size(),
                    starts_[mark.line] + static_cast<std::size_t>(std::max(mark.column, 0)));
  }

  /// The character at a mark, or NUL at the end.
  char character(const YAML::Mark& mark) const {
    const std::size_t at = offset(mark);
    return at < text_.size() ? text_[at] : '\0';
  }

  /// Whether the quoted scalar at a mark is closed; yaml-cpp 0.7 ends an open one silently at the
  /// end of the text.
  bool is_closed(const YAML::Mark& mark) const {
    const char quote = character(mark);
    if (quote != '"' && quote != '\'') return true;
    for (std::size_t i = offset(mark) + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\' && quote == '"') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != quote) return true;
        ++i;  // '' inside a single-quoted scalar is one quote
      }
    }
    return false;
  }

  void put(const YAML::Mark& mark, ConfigNode& node) const {
    node.source = source_;
    node.line = std::max(mark.line, 0) + 1;
    const std::size_t at = offset(mark);
    if (node.line != counted_.line || at < counted_.offset) {
      const std::size_t start = starts_[std::min<std::size_t>(node.line - 1, starts_.size() - 1)];
      counted_ = {node.line, start, 1};
    }
    counted_.column +=
        static_cast<int>(count_code_points(text_.substr(counted_.offset, at - counted_.offset)));
    counted_.offset = at;
    node.column = counted_.column;
  }

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view why) const {
    ConfigNode here;
    put(mark, here);
    fail(ExitCode::config, "{}: {}", here.where(), why);
  }

 private:
  /// How far the columns of a line have been counted. Marks nearly always grow: a line of a hundred
  /// thousand values is not counted from its start for each.
  struct Counted {
    int line = 0;
    std::size_t offset = 0;
    int column = 1;
  };

  std::string_view text_;
  std::string source_;
  std::vector<std::size_t> starts_;
  mutable Counted counted_;
};

class YamlTree : public YAML::EventHandler {
 public:
  explicit YamlTree(const Places& places) : places_(places) {}

  ConfigNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_properties(mark, "?", anchor);
    if (wants_key())
      places_.refuse(mark, "a key is missing before ':' (or it is null: put it into quotes)");
    ConfigNode node;
    if (places_.character(mark) == 'N') {  // Null and NULL: not ours, whatever yaml-cpp says
      node.kind = ConfigNode::Kind::scalar;
      node.text = "NULL";
    }
    place(mark, std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    places_.refuse(mark,
                   "aliases (*name) are not allowed; write the value again, or put * into quotes");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_properties(mark, tag, anchor);
    if (!places_.is_closed(mark))
      places_.refuse(mark, "not valid YAML: the quote that opens here is never closed");
    if (!is_valid_utf8(value)) {  // yaml-cpp 0.7 turns \N and \_ into single bytes
      places_.refuse(mark, "an escape that is no character; write it as \\u0085 or \\u00A0");
    }
    if (wants_key()) {
      take_key(mark, value);
      return;
    }
    ConfigNode node;
    node.kind = ConfigNode::Kind::scalar;
    node.text = value;
    // Plain text over several lines can hold line breaks; it is text in any case.
    node.quoted = tag == "!" || value.find('\n') != std::string::npos;
    place(mark, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, ConfigNode::Kind::list);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, ConfigNode::Kind::map);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Level {
    ConfigNode* node;
    bool has_key = false;  ///< of a map: its last member waits for a value
  };

  bool wants_key() const {
    return !open_.empty() && open_.back().node->kind == ConfigNode::Kind::map &&
           !open_.back().has_key;
  }

  void check_properties(const YAML::Mark& mark, const std::string& tag,
                        YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) {
      places_.refuse(
          mark, "anchors (&name) are not allowed; write the value again, or put & into quotes");
    }
    // A quoted scalar's tag is "!", as is an explicit "! value"; only the text tells them apart.
    const bool named = !tag.empty() && tag != "?" && tag != "!";
    if (named || places_.character(mark) == '!')
      places_.refuse(mark, "tags (!name) are not allowed");
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    if (key == "<<") places_.refuse(mark, "merge keys (<<) are not allowed");
    ConfigNode& map = *open_.back().node;
    if (const ConfigNode* earlier = map.find(key)) {
      places_.refuse(mark, fmt::format("the key \"{}\" stands here twice (first in line {})",
                                       printable(key), earlier->line));
    }
    if (map.members.size() >= most_keys) {
      places_.refuse(mark, fmt::format("more than {} keys in one map", most_keys));
    }
    map.members.emplace_back(key, ConfigNode{});
    places_.put(mark, map.members.back().second);
    open_.back().has_key = true;
  }

  /// Puts a node where the next one belongs and returns it. Parents do not grow while a child is
  /// open, so the pointers in open_ stay good.
  ConfigNode* place(const YAML::Mark& mark, ConfigNode node) {
    places_.put(mark, node);
    if (open_.empty()) {
      root_ = std::move(node);
      return &root_;
    }
    Level& level = open_.back();
    if (level.node->kind == ConfigNode::Kind::list) {
      level.node->items.push_back(std::move(node));
      return &level.node->items.back();
    }
    level.has_key = false;
    level.node->members.back().second = std::move(node);
    return &level.node->members.back().second;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            ConfigNode::Kind kind) {
    check_properties(mark, tag, anchor);
    if (wants_key()) places_.refuse(mark, "a key must be plain text, not a list or a map");
    if (open_.size() >= deepest_yaml) {
      places_.refuse(mark, fmt::format("nested deeper than {} levels", deepest_yaml));
    }
    ConfigNode node;
    node.kind = kind;
    open_.push_back({place(mark, std::move(node))});
  }

  const Places& places_;
  ConfigNode root_;
  std::vector<Level> open_;
};

/// Offset of the first byte that must not stand in a config: invalid UTF-8 or a control character.
std::size_t find_bad_byte(std::string_view text) {
  for (std::size_t offset = 0; offset < text.size();) {
    const CodePoint point = decode_utf8(text, offset);
    const bool control =
        (point.code < 0x20 && point.code != '\n' && point.code != '\r' && point.code != '\t') ||
        (point.code >= 0x7F && point.code < 0xA0 && point.code != 0x85);
    if (!point.valid || control) return offset;
    offset += point.length;
  }
  return std::string_view::npos;
}

void check_text(std::string_view text, const std::string& source) {
  if (text.size() > largest_text) {
    fail(ExitCode::config, "{}: larger than 1 MiB; a config of this size is a mistake", source);
  }
  const std::size_t bad = find_bad_byte(text);
  if (bad == std::string_view::npos) return;
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
  const std::size_t start =
      text.rfind('\n', bad) == std::string_view::npos ? 0 : text.rfind('\n', bad) + 1;
  fail(
      ExitCode::config,
      "{}:{}:{}: invalid UTF-8 or a control character (byte 0x{:02x}); save the file as UTF-8 text",
      source, line + 1, count_code_points(text.substr(start, bad - start)) + 1,
      static_cast<unsigned char>(text[bad]));
}

}  // namespace

ConfigNode parse_yaml(std::string_view text, const std::string& source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  check_text(text, source);
  const Places places(text, source);
  YamlTree builder(places);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    ConfigNode root = builder.take();
    if (root.source.empty()) places.put(YAML::Mark(), root);  // an empty file
    YamlTree further(places);
    if (parser.HandleNextDocument(further)) {
      fail(ExitCode::config, "{}: more than one YAML document (---); put each into its own file",
           source);
    }
    return root;
  } catch (const YAML::Exception& error) {
    places.refuse(error.mark, fmt::format("not valid YAML: {}", error.msg));
  }
}

ConfigNode read_yaml(const std::filesystem::path& file) {
  return parse_yaml(read_file(file, largest_text), file.string());
}

}  // namespace finstill::base
