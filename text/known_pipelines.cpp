#include "text/known_pipelines.h"

#include <utility>

#include "text/pre_tokenizer.h"

namespace finstill::text {

using base::Json;

namespace {

constexpr const char* llama3_expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* qwen2_expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* deepseek_v3_expression =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json split(const std::string& expression) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json sequence(std::vector<Json> steps) {
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

KnownPipeline gpt2() {
  return {nullptr, byte_level(true)};
}

KnownPipeline single_digits() {
  return {nullptr, sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)})};
}

KnownPipeline qwen2() {
  return {{{"type", "NFC"}}, sequence({split(qwen2_expression), byte_level(false)})};
}

KnownPipeline llama3() {
  return {nullptr, sequence({split(llama3_expression), byte_level(false)}), true, true};
}

KnownPipeline deepseek_v3() {
  return {nullptr, sequence({split(R"(\p{N}{1,3})"), split("[一-龥぀-ゟ゠-ヿ]+"),
                             split(deepseek_v3_expression), byte_level(false)})};
}

/// GGUF files from before names of pre-tokenizers, as llama.cpp reads them.
KnownPipeline unnamed() {
  return {nullptr, sequence({split(R"([\p{P}$+<=>^~|]+)"), split(gpt2_expression),
                             split(R"(\p{N}+)"), split("[0-9][0-9][0-9]"), byte_level(false)})};
}

struct Entry {
  const char* name;
  KnownPipeline (*make)();
};

constexpr Entry known_entries[] = {
    {"default", unnamed},
    {"gpt-2", gpt2},
    {"gpt2", gpt2},
    {"smollm", single_digits},
    {"starcoder", single_digits},
    {"refact", single_digits},
    {"command-r", single_digits},
    {"qwen2", qwen2},
    {"deepseek-r1-qwen", qwen2},
    {"llama-bpe", llama3},
    {"llama3", llama3},
    {"llama-v3", llama3},
    {"deepseek-v3", deepseek_v3},
};

}  // namespace

std::optional<KnownPipeline> known_pipeline(std::string_view pre) {
  for (const Entry& entry : known_entries) {
    if (pre == entry.name) return entry.make();
  }
  return std::nullopt;
}

std::string known_pipeline_names() {
  std::string names;
  for (const Entry& entry : known_entries)
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json sentencepiece_normalizer(bool prefix, bool joins_spaces) {
  Json steps = Json::array();
  const auto replace = [&](const char* expression, const char* content) {
    steps.push_back(
        {{"type", "Replace"}, {"pattern", {{"Regex", expression}}}, {"content", content}});
  };
  if (joins_spaces) {
    replace(R"(\A +)", "");
    // The library looks at the end after it has turned spaces into its own mark.
    replace(R"([ ▁]+\z)", "");
    replace(" {2,}", " ");
  }
  if (prefix) steps.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}});
  if (steps.size() == 1) return steps.front();
  return {{"type", "Sequence"}, {"normalizers", steps}};
}

Json sentencepiece_decoder(bool prefix) {
  Json steps = Json::array({{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                            {{"type", "ByteFallback"}},
                            {{"type", "Fuse"}}});
  if (prefix) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

Json template_processing(const std::optional<NamedToken>& bos,
                         const std::optional<NamedToken>& eos) {
  Json single = Json::array(), pair = Json::array(), special = Json::object();
  const auto add_token = [&](const std::optional<NamedToken>& token, Json& list, int type_id) {
    if (!token) return;
    list.push_back({{"SpecialToken", {{"id", token->name}, {"type_id", type_id}}}});
    special[token->name] = {{"id", token->name},
                            {"ids", std::vector<TokenId>{token->id}},
                            {"tokens", std::vector<std::string>{token->name}}};
  };
  const auto add_text = [&](Json& list, const char* name, int type_id) {
    add_token(bos, list, type_id);
    list.push_back({{"Sequence", {{"id", name}, {"type_id", type_id}}}});
    add_token(eos, list, type_id);
  };
  add_text(single, "A", 0);
  add_text(pair, "A", 0);
  add_text(pair, "B", 1);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", special}};
}

}  // namespace finstill::text
