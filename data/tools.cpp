#include "data/tools.h"

#include "base/error.h"

namespace finstill::data {

base::Json read_tools(const base::Json& row, const std::string& where) {
  const auto found = row.find("tools");
  if (found == row.end() || found->is_null()) return nullptr;
  base::Json tools = *found;
  if (tools.is_string()) {
    if (tools.get_ref<const std::string&>().empty()) return nullptr;
    tools = base::parse_json(tools.get_ref<const std::string&>(), where + ": tools");
  }
  if (!tools.is_array())
    base::fail(base::ExitCode::data, "{}: tools must be a list of tool definitions", where);
  return tools.empty() ? base::Json(nullptr) : tools;
}

bool is_example(const base::Json& row) {
  const auto schema = row.find("schema");
  if (schema != row.end() && *schema == "finstill-example-1") return true;
  return row.contains("task") && row.contains("messages") && row.contains("answer");
}

const base::Json& required_array(const base::Json& row, const std::string& key,
                                 const std::string& where) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_array()) {
    base::fail(base::ExitCode::data, "{}: {} must be a list", where, key);
  }
  if (found->empty()) base::fail(base::ExitCode::data, "{}: {} is an empty list", where, key);
  return *found;
}

}  // namespace finstill::data
