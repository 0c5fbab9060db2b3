#include "text/tokenizer_json.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "text/json_place.h"
#include "text/tokenizer_json_reader.h"

#include "base/error.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

namespace {

using Ids = std::unordered_map<std::string_view, TokenId>;

/// Ids may have gaps, but a short file must not ask for a table of millions.
std::int64_t highest_id_allowed(std::size_t tokens) {
  return 2 * static_cast<std::int64_t>(tokens) + 65536;
}

Ids read_vocabulary(const RawTokenizerJson& raw, TokenizerDefinition& definition) {
  const std::int64_t highest = highest_id_allowed(raw.vocabulary.size());
  std::int64_t size = 0;
  for (const auto& [token, id] : raw.vocabulary) size = std::max(size, id + 1);
  if (size > highest) {
    fail(ExitCode::data, "{}: model.vocab: the id {} is far beyond its {} tokens", definition.where,
         size - 1, raw.vocabulary.size());
  }
  definition.tokens.resize(size);
  Ids ids;
  ids.reserve(raw.vocabulary.size());
  for (const auto& [token, id] : raw.vocabulary) {
    if (token.empty())
      fail(ExitCode::data, "{}: model.vocab: id {} has an empty token", definition.where, id);
    if (!definition.tokens[id].empty()) {
      fail(ExitCode::data, "{}: model.vocab: \"{}\" and \"{}\" have the same id {}",
           definition.where, definition.tokens[id], token, id);
    }
    definition.tokens[id] = token;
    if (!ids.emplace(token, static_cast<TokenId>(id)).second) {
      fail(ExitCode::data, "{}: model.vocab: \"{}\" stands twice", definition.where, token);
    }
  }
  return ids;
}

void read_merges(const RawTokenizerJson& raw, const Ids& ids, TokenizerDefinition& definition) {
  const auto id_of = [&](const std::string& token) {
    const auto found = ids.find(token);
    if (found == ids.end()) {
      fail(ExitCode::data, "{}: model.merges[{}]: \"{}\" is not in model.vocab", definition.where,
           definition.merges.size(), token);
    }
    return found->second;
  };
  definition.merges.reserve(raw.merges.size());
  for (const auto& [left, right] : raw.merges) {
    definition.merges.push_back({id_of(left), id_of(right), id_of(left + right),
                                 static_cast<std::int32_t>(definition.merges.size())});
  }
}

void read_added_tokens(const Json& tree, const Ids& ids, TokenizerDefinition& definition) {
  if (!tree.contains("added_tokens") || tree["added_tokens"].is_null()) return;
  const std::int64_t highest =
      highest_id_allowed(definition.tokens.size() + tree["added_tokens"].size());
  std::unordered_map<std::string, TokenId> contents;
  std::unordered_map<TokenId, std::string> by_id;
  for_each_item(tree, "added_tokens", definition.where + ": ",
                [&](const Json& item, const std::string& place) {
                  AddedToken token;
                  const std::int64_t id = base::json_integer(item, "id", place);
                  token.content = base::json_string(item, "content", place);
                  if (id < 0 || id > highest)
                    fail(ExitCode::data, "{}.id: {} is not an id of this vocabulary", place, id);
                  token.id = static_cast<TokenId>(id);
                  token.special = base::json_bool(item, "special", place, false);
                  token.left_strip = base::json_bool(item, "lstrip", place, false);
                  token.right_strip = base::json_bool(item, "rstrip", place, false);
                  token.single_word = base::json_bool(item, "single_word", place, false);
                  token.normalized = base::json_bool(item, "normalized", place, false);
                  if (token.content.empty())
                    fail(ExitCode::data, "{}.content: the token is empty", place);
                  const auto known = ids.find(token.content);
                  const bool other_id = known != ids.end() && known->second != token.id;
                  const bool other_text =
                      known == ids.end() &&
                      id < static_cast<std::int64_t>(definition.tokens.size()) &&
                      !definition.tokens[id].empty();
                  if (other_id || other_text || !contents.emplace(token.content, token.id).second ||
                      !by_id.emplace(token.id, token.content).second) {
                    fail(ExitCode::data, "{}: \"{}\" with id {} contradicts another token", place,
                         token.content, id);
                  }
                  definition.added.push_back(std::move(token));
                });
  std::sort(definition.added.begin(), definition.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

void read_model_settings(const Json& model, const Ids& ids, TokenizerDefinition& definition) {
  const std::string where = definition.where + ": model";
  if (model.contains("dropout") && !model["dropout"].is_null() &&
      base::json_number(model, "dropout", where) != 0) {
    fail(ExitCode::data, "{}.dropout: merges left out at random are not supported", where);
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!base::json_string(model, key, where, "").empty()) {
      fail(ExitCode::data, "{}.{}: only \"\" and null are supported", where, key);
    }
  }
  definition.fuse_unk = base::json_bool(model, "fuse_unk", where, false);
  definition.byte_fallback = base::json_bool(model, "byte_fallback", where, false);
  definition.ignore_merges = base::json_bool(model, "ignore_merges", where, false);
  const std::string unk = base::json_string(model, "unk_token", where, "");
  if (unk.empty()) return;
  const auto found = ids.find(unk);
  if (found == ids.end())
    fail(ExitCode::data, "{}.unk_token: \"{}\" is not in model.vocab", where, unk);
  definition.unk = found->second;
}

void append_list(std::string& out, const char* key, const std::vector<std::string>& items,
                 char open, char close) {
  out += fmt::format("{}\"{}\": {}", "    ", key, open);
  for (std::size_t i = 0; i < items.size(); ++i)
    out += (i == 0 ? "\n      " : ",\n      ") + items[i];
  out += items.empty() ? std::string(1, close) : fmt::format("\n    {}", close);
}

Json added_token_json(const AddedToken& token) {
  return {{"id", token.id},
          {"content", token.content},
          {"single_word", token.single_word},
          {"lstrip", token.left_strip},
          {"rstrip", token.right_strip},
          {"normalized", token.normalized},
          {"special", token.special}};
}

}  // namespace

TokenizerDefinition read_tokenizer_json(std::string_view text, const std::string& where) {
  RawTokenizerJson raw = parse_tokenizer_json(text, where, true);
  if (!raw.tree.is_object()) fail(ExitCode::data, "{}: expected an object", where);
  const Json& model = json_member(raw.tree, "model", where);
  const std::string type =
      model.is_object() ? base::json_string(model, "type", where + ": model", "BPE") : "";
  if (type != "BPE") {
    fail(ExitCode::data,
         "{}: model.type: \"{}\" is not supported: only BPE (a Unigram model is read from its "
         "*.model file)",
         where, type);
  }
  if (!raw.has_vocabulary || !raw.has_merges) {
    fail(ExitCode::data, "{}: model.{} is missing", where, raw.has_vocabulary ? "merges" : "vocab");
  }
  TokenizerDefinition definition;
  definition.where = where;
  const Ids ids = read_vocabulary(raw, definition);
  read_merges(raw, ids, definition);
  read_added_tokens(raw.tree, ids, definition);
  read_model_settings(model, ids, definition);
  const auto part = [&](const char* key) {
    return raw.tree.contains(key) ? raw.tree[key] : Json(nullptr);
  };
  definition.normalizer = part("normalizer");
  definition.pre_tokenizer = part("pre_tokenizer");
  definition.post_processor = part("post_processor");
  definition.decoder = part("decoder");
  return definition;
}

std::string write_tokenizer_json(const TokenizerDefinition& definition) {
  std::vector<std::string> added, vocabulary, merges;
  for (const AddedToken& token : definition.added)
    added.push_back(base::dump_json(added_token_json(token)));
  for (std::size_t id = 0; id < definition.tokens.size(); ++id) {
    const std::string& token = definition.tokens[id];
    if (!token.empty()) vocabulary.push_back(fmt::format("{}: {}", base::dump_json(token), id));
  }
  for (const Merge& merge : definition.merges) {
    merges.push_back(base::dump_json(
        Json::array({definition.tokens[merge.left], definition.tokens[merge.right]})));
  }
  std::string out =
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  "
      "\"added_tokens\": [";
  for (std::size_t i = 0; i < added.size(); ++i) out += (i == 0 ? "\n    " : ",\n    ") + added[i];
  out += "\n  ],\n";
  out += "  \"normalizer\": " + base::dump_json(definition.normalizer) + ",\n";
  out += "  \"pre_tokenizer\": " + base::dump_json(definition.pre_tokenizer) + ",\n";
  out += "  \"post_processor\": " + base::dump_json(definition.post_processor) + ",\n";
  out += "  \"decoder\": " + base::dump_json(definition.decoder) + ",\n";
  out += "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": ";
  out += definition.unk ? base::dump_json(definition.tokens[*definition.unk]) : "null";
  out += ",\n    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n";
  out +=
      fmt::format("    \"fuse_unk\": {},\n    \"byte_fallback\": {},\n    \"ignore_merges\": {},\n",
                  definition.fuse_unk, definition.byte_fallback, definition.ignore_merges);
  append_list(out, "vocab", vocabulary, '{', '}');
  out += ",\n";
  append_list(out, "merges", merges, '[', ']');
  return out + "\n  }\n}\n";
}

Json read_settings(std::string_view text, const std::string& where) {
  Json settings = parse_tokenizer_json(text, where, false).tree;
  if (!settings.is_object()) fail(ExitCode::data, "{}: expected an object", where);
  return settings;
}

}  // namespace finstill::text
