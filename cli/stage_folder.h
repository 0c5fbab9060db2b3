#pragma once

// The folder of a stage before and after it ran. While a stage is unfinished its folder holds
// `unfinished.json`, the identity that it works towards, so that a later run knows whether it may
// continue there. The finished artifact that a stage replaces waits in `.replaced` until the new
// one is whole, and goes back when the new one fails before it made anything.

#include <filesystem>
#include <optional>

#include "base/json.h"

namespace finstill::cli {

/// The identity of an interrupted try; null when its record is unreadable, as the try is worthless
/// then; nullopt when there is none.
std::optional<base::Json> unfinished_identity(const std::filesystem::path& folder);

/// Nothing in it, or only the lock and what a kill left of our first write into it.
bool is_blank(const std::filesystem::path& folder);

/// Holds an artifact of finstill, finished or not.
bool is_ours(const std::filesystem::path& folder);

/// Makes `folder` ready for work towards `identity`: keeps what is there when it `continues`, else
/// puts a finished artifact aside and removes anything else. Killed on the way it leaves a folder
/// that is still known as ours, and in which nothing is continued.
void prepare_folder(const std::filesystem::path& folder, bool continues,
                    const base::Json& identity);

/// After a stage failed: when it made nothing, puts back what it was to replace. Returns whether it
/// did.
bool restore_replaced(const std::filesystem::path& folder);

/// Before a new manifest is written: removes what waits in `.replaced`.
void drop_replaced(const std::filesystem::path& folder);

/// Last: until the manifest is there the record says whose folder it is, and then until all is
/// cleared up that something may be left.
void remove_unfinished_record(const std::filesystem::path& folder);

}  // namespace finstill::cli
