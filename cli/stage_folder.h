#pragma once

// The folder of a stage before and after it ran. While a stage is unfinished its folder holds
// `unfinished.json`, the identity that it works towards, so that a later run knows whether it may
// continue there. The finished artifact that a stage replaces or prolongs waits in `.replaced`
// until the new one is whole. It goes back when the new one fails before it made anything, and when
// it is what a later run asks for.

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

/// How work in a folder begins.
enum class Beginning {
  anew,       ///< a finished artifact is put aside, anything else removed
  continued,  ///< from what an interrupted try left
  prolonged,  ///< from a finished artifact, of which a copy is put aside
};

/// Makes `folder` ready for work towards `identity`. Killed on the way it leaves what was there, or
/// a folder that is still known as ours and in which nothing is continued.
void prepare_folder(const std::filesystem::path& folder, Beginning beginning,
                    const base::Json& identity);

/// After a stage failed: when it made nothing, puts back what it was to replace. Returns whether it
/// did.
bool restore_replaced(const std::filesystem::path& folder);

/// When the finished artifact of `identity` waits beside an interrupted try of something else, puts
/// it back in its place. Returns whether it did.
bool put_back(const std::filesystem::path& folder, const base::Json& identity);

/// Once the new manifest is written: removes what waits in `.replaced`.
void drop_replaced(const std::filesystem::path& folder);

/// Last: until the manifest is there the record says whose folder it is, and then until all is
/// cleared up that something may be left.
void remove_unfinished_record(const std::filesystem::path& folder);

}  // namespace finstill::cli
