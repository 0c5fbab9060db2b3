#include "cli/stage_folder.h"

#include <algorithm>
#include <string>

#include "base/artifact.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using base::Json;

constexpr const char* unfinished_file = "unfinished.json";
constexpr const char* lock_file = "run.lock";
constexpr const char* manifest_file = "manifest.json";
constexpr const char* replaced_folder = ".replaced";

bool is_unfinished_temporary(const std::string& name) {
  return name.starts_with(".unfinished.json.") && name.ends_with(".tmp");
}

/// Neither the lock, which this process may hold, nor the record, nor what waits.
bool is_content(const std::string& name) {
  return name != lock_file && name != unfinished_file && name != replaced_folder;
}

void move_entry(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) base::fail_errno(error.value(), "cannot move", from);
}

/// The manifest goes last: with it in `to` the move is complete.
void move_contents(const fs::path& from, const fs::path& to) {
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(from)) {
    const fs::path name = entry.path().filename();
    if (is_content(name) && name != manifest_file) names.push_back(name);
  }
  for (const fs::path& name : names) move_entry(from / name, to / name);
  move_entry(from / manifest_file, to / manifest_file);
  base::sync_folder(to);
  base::sync_folder(from);
}

/// A second name for a file; a copy of what is appended to, and where the disk has no second names.
void keep_file(const fs::path& from, const fs::path& to) {
  base::make_folder(to.parent_path());
  std::error_code error;
  if (from.extension() != ".jsonl") {
    fs::create_hard_link(from, to, error);
    if (!error) return;
  }
  fs::copy_file(from, to, error);
  if (error) base::fail_errno(error.value(), "cannot copy", from);
}

/// The manifest last, as in move_contents.
void keep_contents(const fs::path& folder) {
  const fs::path kept = folder / replaced_folder;
  drop_replaced(folder);
  for (const std::string& file : base::files_in(folder)) {
    if (is_content(file) && file != manifest_file) keep_file(folder / file, kept / file);
  }
  keep_file(folder / manifest_file, kept / manifest_file);
  base::sync_folder(kept);
}

void remove_contents(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_content(entry.path().filename())) base::remove_all(entry.path());
  }
  if (!fs::exists(folder / replaced_folder / manifest_file)) drop_replaced(folder);
}

void make_room(const fs::path& folder) {
  if (fs::is_symlink(folder)) return base::remove_all(folder);
  const bool is_whole = !fs::exists(folder / unfinished_file) && fs::exists(folder / manifest_file);
  base::write_file_atomic(folder / unfinished_file, "null\n");
  if (!is_whole) return remove_contents(folder);
  drop_replaced(folder);
  base::make_folder(folder / replaced_folder);
  move_contents(folder, folder / replaced_folder);
}

void move_back(const fs::path& folder) {
  base::write_file_atomic(folder / unfinished_file, "null\n");  // nothing is continued from a part
  remove_contents(folder);
  move_contents(folder / replaced_folder, folder);
  drop_replaced(folder);
  remove_unfinished_record(folder);
}

}  // namespace

std::optional<Json> unfinished_identity(const fs::path& folder) {
  if (!fs::exists(folder / unfinished_file)) return std::nullopt;
  try {
    return base::read_json(folder / unfinished_file);
  } catch (const base::Error&) {
    return Json();
  }
}

bool is_blank(const fs::path& folder) {
  if (!fs::is_directory(folder)) return false;
  return std::all_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const auto& entry) {
                       const std::string name = entry.path().filename();
                       return name == lock_file || is_unfinished_temporary(name);
                     });
}

bool is_ours(const fs::path& folder) {
  // Other tools have files named manifest.json too: it must be one of ours.
  return fs::exists(folder / unfinished_file) || base::read_manifest(folder).has_value();
}

void prepare_folder(const fs::path& folder, Beginning beginning, const Json& identity) {
  if (beginning == Beginning::anew && fs::exists(folder)) make_room(folder);
  if (beginning == Beginning::prolonged) keep_contents(folder);
  base::make_folder(folder);
  base::write_file_atomic(folder / unfinished_file, base::dump_json(identity) + "\n");
  base::remove_all(folder / manifest_file);
}

bool restore_replaced(const fs::path& folder) {
  const bool made_nothing =
      std::none_of(fs::directory_iterator(folder), fs::directory_iterator(),
                   [](const auto& entry) { return is_content(entry.path().filename()); });
  if (!made_nothing || !fs::exists(folder / replaced_folder / manifest_file)) return false;
  move_back(folder);
  return true;
}

bool put_back(const fs::path& folder, const Json& identity) {
  const auto interrupted = unfinished_identity(folder);
  if (!interrupted || *interrupted == identity ||
      !base::is_finished(folder / replaced_folder, identity))
    return false;
  move_back(folder);
  return true;
}

void drop_replaced(const fs::path& folder) {
  base::remove_all(folder / replaced_folder);
}

void remove_unfinished_record(const fs::path& folder) {
  base::remove_all(folder / unfinished_file);
}

}  // namespace finstill::cli
