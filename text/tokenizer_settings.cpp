#include "text/tokenizer_settings.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "text/json_place.h"
#include "text/tokenizer_json.h"

#include "base/error.h"
#include "base/file.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

namespace {

constexpr std::uint64_t largest_settings_file = 64 << 20;

/// A token's text: "…" or {"content": "…", ...}.
std::optional<std::string> token_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  return std::nullopt;
}

void read_names(const Json& config, TokenizerSettings& settings) {
  for (const auto& [key, value] : config.items()) {
    if (!key.ends_with("_token")) continue;
    const auto text = token_text(value);
    if (text && !text->empty()) settings.names.emplace(key, *text);
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto found = config.find(key);
    if (found == config.end() || !found->is_array()) continue;
    for (const Json& item : *found) {
      if (const auto text = token_text(item); text && !text->empty())
        settings.further_special.push_back(*text);
    }
  }
}

void read_added_tokens_decoder(const Json& config, const std::string& where,
                               TokenizerSettings& settings) {
  const auto found = config.find("added_tokens_decoder");
  if (found == config.end() || !found->is_object()) return;
  for (const auto& [key, value] : found->items()) {
    const std::string place = fmt::format("{}: added_tokens_decoder.{}", where, key);
    AddedToken token;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (error != std::errc() || end != key.data() + key.size() || token.id < 0) {
      fail(ExitCode::data, "{}: the key is not an id", place);
    }
    token.content = base::json_string(value, "content", place);
    if (token.content.empty()) fail(ExitCode::data, "{}: the token is empty", place);
    token.special = base::json_bool(value, "special", place, false);
    token.left_strip = base::json_bool(value, "lstrip", place, false);
    token.right_strip = base::json_bool(value, "rstrip", place, false);
    token.single_word = base::json_bool(value, "single_word", place, false);
    token.normalized = base::json_bool(value, "normalized", place, false);
    settings.added.push_back(std::move(token));
  }
}

/// The older way, beside a tokenizer.model: {"<|im_start|>": 32000, ...}; which of them are control
/// tokens the names say.
void read_added_tokens_file(const Json& file, const std::string& where,
                            TokenizerSettings& settings) {
  for (const auto& [content, id] : file.items()) {
    if (content.empty() || !id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX)
      fail(ExitCode::data, "{}: \"{}\": expected a token and its id", where, content);
    settings.added.push_back({.id = id.get<TokenId>(), .content = content});
  }
}

void read_chat_templates(const Json& config, const std::string& where,
                         TokenizerSettings& settings) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return;
  if (found->is_string()) {
    settings.chat_templates["default"] = found->get<std::string>();
  } else if (found->is_array()) {
    for_each_item(config, "chat_template", where + ": ",
                  [&](const Json& item, const std::string& place) {
                    settings.chat_templates[base::json_string(item, "name", place)] =
                        base::json_string(item, "template", place);
                  });
  } else {
    fail(ExitCode::data, "{}: chat_template: expected a text or a list of {{name, template}}",
         where);
  }
}

void read_stop_ids(const Json& config, TokenizerSettings& settings) {
  const auto found = config.find("eos_token_id");
  if (found == config.end()) return;
  const auto add = [&](const Json& id) {
    if (id.is_number_integer()) settings.stop_ids.push_back(id.get<std::int64_t>());
  };
  if (found->is_array()) {
    for (const Json& id : *found) add(id);
  } else {
    add(*found);
  }
}

GenerationDefaults read_generation(const Json& config, const std::string& where) {
  const auto number = [&](const char* key) -> std::optional<double> {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return std::nullopt;
    return base::json_number(config, key, where);
  };
  GenerationDefaults defaults{.temperature = number("temperature"),
                              .top_p = number("top_p"),
                              .min_p = number("min_p"),
                              .repetition_penalty = number("repetition_penalty")};
  if (number("top_k")) defaults.top_k = base::json_integer(config, "top_k", where);
  return defaults;
}

std::optional<bool> optional_bool(const Json& config, const char* key, const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return std::nullopt;
  return base::json_bool(config, key, where, false);
}

/// The text of folder / name when it is there, kept for save() as well.
std::optional<std::string> read_if_there(const std::filesystem::path& folder,
                                         const std::string& name, TokenizerSettings& settings,
                                         bool keep = true) {
  const std::filesystem::path file = folder / name;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  std::string text = base::read_file(file, largest_settings_file);
  if (!base::is_valid_utf8(text)) fail(ExitCode::data, "{}: not valid UTF-8", file.string());
  if (keep) settings.files[name] = text;
  return text;
}

constexpr const char* template_folder = "additional_chat_templates";

}  // namespace

std::vector<std::string> named_template_files(const std::filesystem::path& folder) {
  constexpr std::size_t most = 64;
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(folder / template_folder, absent)) {
    if (entry.path().extension() != ".jinja" || !entry.is_regular_file(absent)) continue;
    if (names.size() == most) {
      fail(ExitCode::data, "{}: more than {} templates; leave those that are used",
           (folder / template_folder).string(), most);
    }
    names.push_back(fmt::format("{}/{}", template_folder, entry.path().filename().string()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder,
                                          const std::filesystem::path& model) {
  TokenizerSettings settings;
  if (const auto text = read_if_there(folder, "tokenizer_config.json", settings)) {
    const std::string where = (folder / "tokenizer_config.json").string();
    const Json config = read_settings(*text, where);
    read_names(config, settings);
    read_added_tokens_decoder(config, where, settings);
    read_chat_templates(config, where, settings);
    settings.add_bos = optional_bool(config, "add_bos_token", where);
    settings.add_eos = optional_bool(config, "add_eos_token", where);
  }
  if (const auto text = read_if_there(folder, "special_tokens_map.json", settings)) {
    read_names(read_settings(*text, (folder / "special_tokens_map.json").string()), settings);
  }
  std::error_code ignored;
  if (settings.added.empty() && !std::filesystem::exists(folder / "tokenizer.json", ignored)) {
    if (const auto text = read_if_there(folder, "added_tokens.json", settings)) {
      const std::string where = (folder / "added_tokens.json").string();
      read_added_tokens_file(read_settings(*text, where), where, settings);
    }
  }
  if (auto text = read_if_there(folder, "chat_template.jinja", settings)) {
    settings.chat_templates["default"] = std::move(*text);
  }
  for (const std::string& name : named_template_files(folder)) {
    if (auto text = read_if_there(folder, name, settings))
      settings.chat_templates[std::filesystem::path(name).stem().string()] = std::move(*text);
  }
  // The adapter's own word, then the model's; config.json only where neither has the other file.
  for (const char* name : {"generation_config.json", "config.json"}) {
    for (const std::filesystem::path& place : {folder, model}) {
      if (place.empty()) continue;
      if (const auto text =
              read_if_there(place, name, settings, name != std::string_view("config.json"))) {
        const std::string where = (place / name).string();
        const Json config = read_settings(*text, where);
        read_stop_ids(config, settings);
        settings.generation = read_generation(config, where);
        return settings;
      }
    }
  }
  return settings;
}

void complete_definition(TokenizerDefinition& definition, const TokenizerSettings& settings) {
  std::unordered_map<std::string_view, TokenId> vocabulary;
  for (std::size_t i = 0; i < definition.tokens.size(); ++i) {
    if (!definition.tokens[i].empty())
      vocabulary.emplace(definition.tokens[i], static_cast<TokenId>(i));
  }
  std::unordered_set<std::string> contents;
  std::unordered_set<TokenId> ids;
  for (const AddedToken& token : definition.added) {
    contents.insert(token.content);
    ids.insert(token.id);
  }
  const auto add = [&](const AddedToken& token) {
    contents.insert(token.content);
    ids.insert(token.id);
    definition.added.push_back(token);
  };
  const std::size_t known =
      definition.tokens.size() + definition.added.size() + settings.added.size();
  for (const AddedToken& token : settings.added) {
    if (contents.contains(token.content)) continue;
    const auto found = vocabulary.find(token.content);
    const bool free = static_cast<std::size_t>(token.id) >= definition.tokens.size() ||
                      definition.tokens[token.id].empty();
    if (ids.contains(token.id) || (found != vocabulary.end() ? found->second != token.id : !free) ||
        static_cast<std::size_t>(token.id) > 2 * known + 65536) {
      fail(ExitCode::data,
           "{}: added_tokens_decoder (or added_tokens.json) gives \"{}\" the id {}, which "
           "contradicts the vocabulary",
           definition.where, token.content, token.id);
    }
    add(token);
  }
  std::unordered_set<std::string> special(settings.further_special.begin(),
                                          settings.further_special.end());
  for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
    const auto name = settings.names.find(key);
    if (name != settings.names.end()) special.insert(name->second);
  }
  for (AddedToken& token : definition.added)
    token.special = token.special || special.contains(token.content);
  for (const std::string& name : special) {
    const auto found = vocabulary.find(name);
    if (found != vocabulary.end() && !contents.contains(name))
      add({.id = found->second, .content = name, .special = true});
  }
  std::sort(definition.added.begin(), definition.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

std::map<std::string, std::string> write_tokenizer_settings(const TokenizerSettings& settings,
                                                            const SpecialTokens& special,
                                                            const std::vector<TokenId>& stop_ids) {
  std::map<std::string, std::string> files;
  Json config = Json::object();
  if (settings.add_bos) config["add_bos_token"] = *settings.add_bos;
  if (settings.add_eos) config["add_eos_token"] = *settings.add_eos;
  for (const auto& [key, name] : settings.names) config[key] = name;
  config["clean_up_tokenization_spaces"] = false;
  if (settings.longest > 0) config["model_max_length"] = settings.longest;
  config["tokenizer_class"] = settings.python_class;
  const auto& chats = settings.chat_templates;
  if (chats.size() == 1 && chats.contains("default")) {
    files["chat_template.jinja"] = chats.at("default");
  } else if (!chats.empty()) {
    Json& list = config["chat_template"] = Json::array();
    for (const auto& [name, chat_template] : chats)
      list.push_back({{"name", name}, {"template", chat_template}});
  }
  files["tokenizer_config.json"] = config.dump(2) + "\n";
  Json generation = Json::object();
  if (special.bos) generation["bos_token_id"] = *special.bos;
  if (stop_ids.size() == 1) generation["eos_token_id"] = stop_ids.front();
  if (stop_ids.size() > 1) generation["eos_token_id"] = stop_ids;
  if (special.pad) generation["pad_token_id"] = *special.pad;
  files["generation_config.json"] = generation.dump(2) + "\n";
  return files;
}

}  // namespace finstill::text
