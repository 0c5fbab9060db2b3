#pragma once

#include "base/json.h"

#include <string>

namespace finstill::data {

/// The "tools" of a row: null where there are none, else an array; a string that holds the array's
/// JSON is accepted, as data sets in columns have it. Throws Error(data) with `where`.
base::Json read_tools(const base::Json& row, const std::string& where);

/// Whether a row is a line of an `examples` artifact: by its schema, or by the keys that such a
/// line has together. A `task` alone is a common column of chats.
bool is_example(const base::Json& row);

/// The members of a row that must be an array under this key. Throws Error(data) with `where`.
const base::Json& required_array(const base::Json& row, const std::string& key,
                                 const std::string& where);

}  // namespace finstill::data
