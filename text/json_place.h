#pragma once

// Walking a parsed tokenizer.json with the place in every message: "tokenizer.json:
// pre_tokenizer.pretokenizers[1]".

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"

namespace finstill::text {

/// The member `key` of an object; Error(data) where it is missing.
inline const base::Json& json_member(const base::Json& object, std::string_view key,
                                     const std::string& where) {
  if (object.is_object()) {
    const auto found = object.find(std::string(key));
    if (found != object.end()) return *found;
  }
  base::fail(base::ExitCode::data, "{}: \"{}\" is missing", where, key);
}

/// Calls visit(item, place) for each item of the array `key`.
template <typename Visit>
void for_each_item(const base::Json& object, std::string_view key, const std::string& where,
                   const Visit& visit) {
  const base::Json& items = json_member(object, key, where);
  if (!items.is_array()) base::fail(base::ExitCode::data, "{}.{}: expected a list", where, key);
  for (std::size_t i = 0; i < items.size(); ++i)
    visit(items[i], fmt::format("{}.{}[{}]", where, key, i));
}

}  // namespace finstill::text
