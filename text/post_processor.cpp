#include "text/post_processor.h"

#include <cstdint>

#include "text/json_place.h"

#include "base/error.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

namespace {

Surroundings read_template(const Json& definition, const std::string& where) {
  Surroundings result;
  int texts = 0;
  for_each_item(definition, "single", where, [&](const Json& item, const std::string& place) {
    if (item.is_object() && item.contains("Sequence")) {
      ++texts;
      return;
    }
    const std::string name =
        base::json_string(json_member(item, "SpecialToken", place), "id", place);
    const Json& token = json_member(json_member(definition, "special_tokens", where), name,
                                    where + ".special_tokens");
    const Json& ids = json_member(token, "ids", place);
    for (const Json& id : ids) {
      const bool valid = id.is_number_integer() && id.get<std::int64_t>() >= 0 &&
                         id.get<std::int64_t>() <= INT32_MAX;
      if (!valid)
        fail(ExitCode::data, "{}: the ids of \"{}\" are not integers from 0", place, name);
      (texts == 0 ? result.prefix : result.suffix).push_back(id.get<TokenId>());
    }
  });
  if (texts != 1) fail(ExitCode::data, "{}.single: expected one Sequence, found {}", where, texts);
  return result;
}

}  // namespace

Surroundings read_post_processor(const Json& definition, const std::string& where) {
  if (definition.is_null()) return {};
  const std::string type = base::json_string(definition, "type", where);
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return read_template(definition, where);
  if (type == "Sequence") {
    Surroundings result;
    for_each_item(definition, "processors", where, [&](const Json& item, const std::string& place) {
      const Surroundings outer = read_post_processor(item, place);
      result.prefix.insert(result.prefix.begin(), outer.prefix.begin(), outer.prefix.end());
      result.suffix.insert(result.suffix.end(), outer.suffix.begin(), outer.suffix.end());
    });
    return result;
  }
  fail(ExitCode::data,
       "{}.type: the post-processor \"{}\" is not supported (known: ByteLevel, TemplateProcessing, "
       "Sequence)",
       where, type);
}

}  // namespace finstill::text
