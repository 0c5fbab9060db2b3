#pragma once

// An artifact is a folder that one stage wrote, with manifest.json written last:
//
//   {"schema": "finstill-manifest-1",
//    "identity_hash": SHA-256 of the identity,
//    "identity": {"kind": stage kind, "artifact": artifact kind, "revision": 1, "seed": 7,
//                 "runtime": {"dtype", "device", "kernels", "threads", "libraries": {...}},
//                 "config": fields that affect results, "inputs": [identity hashes],
//                 "outputs": {"relative/path": SHA-256, ...}},
//    "observed": {"unhashed": [products outside the hashes that a finished folder has], ...}}
//
// Only stages that compute have "runtime".
// No manifest = the artifact is not there. The identity holds contents, never places or times. Not
// outputs: manifest.json, unfinished.json, what shows times (timing.jsonl, timing.json,
// report.html), run.lock, temporary files (".*.tmp") and everything below logs/ and .replaced/
// (cli/stage_folder.h).

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/json.h"
#include "base/stage.h"

namespace finstill::base {

/// The identity of a stage before it has run: all but "outputs". `config` is write_config(...,
/// Include::results).
Json plan_identity(const std::string& kind, const Stage& stage, const Json& config,
                   const std::vector<std::string>& inputs, std::uint64_t seed,
                   const Runtime& runtime);

/// Throws Error(io) when what a config refers to is not there: the reference's place, or the name
/// of a plain path.
void check_is_there(const ArtifactRef& reference);
void check_is_there(const std::string& name, const std::filesystem::path& path);

/// The identities of everything a config refers to, in the order of its fields: artifact references
/// (their `path`, which must be set), then plain paths. Throws Error(io) as check_is_there does.
std::vector<std::string> input_identities(const Struct& type, void* config);

/// SHA-256 of the identity's text; what other artifacts name as their input.
std::string identity_hash(const Json& identity);

struct Manifest {
  Json identity, observed;
  std::string hash;  ///< identity_hash(identity)

  std::string kind() const;           ///< of the stage
  std::string artifact_kind() const;  ///< "model", "examples", ...
};

/// The manifest of a finished artifact; std::nullopt when the folder has none. Throws Error(data)
/// when it is damaged (its identity does not match its hash).
std::optional<Manifest> read_manifest(const std::filesystem::path& folder);

/// Whether the folder holds the finished artifact of this plan with all its outputs present
/// (verify_artifact hashes them), and what its stage named in StageContext::observed["unhashed"].
/// `difference`, if given, receives the first part that differs
/// ("config.epochs", "inputs", ...), "" when no manifest is there.
bool is_finished(const std::filesystem::path& folder, const Json& plan,
                 std::string* difference = nullptr);

/// Ends an artifact: removes what killed runs left half written, makes every output durable, hashes
/// it, writes the manifest, and removes `scratch` (paths below the folder, no outputs). Killed on
/// the way it leaves either the scratch, to continue from, or the manifest. `observed` is kept with
/// time, machine and version added.
Manifest finish_artifact(const std::filesystem::path& folder, const Json& plan,
                         const std::vector<std::string>& scratch, const Json& observed);

/// Removes what the manifest of a finished artifact does not list: scratch that finish_artifact,
/// killed after the manifest, left behind.
void remove_leftovers(const std::filesystem::path& folder);

/// Hashes all outputs again. Throws Error(io) naming the first file that is missing, new or
/// changed.
void verify_artifact(const std::filesystem::path& folder);

/// The identity of whatever lies at `path`: an artifact's identity hash, else the content hash of
/// the file or of the folder without hidden files. Throws Error(io) when nothing is there, and as
/// refuse_unfinished does.
std::string identity_of(const std::filesystem::path& path);

/// Throws Error(io) when a stage works in the folder or was interrupted there: its files may be
/// those of an earlier try.
void refuse_unfinished(const std::filesystem::path& folder);

/// The artifact kind of a folder: its manifest's, or for a plain folder with config.json and
/// weights "model"; "" otherwise.
std::string artifact_kind_of(const std::filesystem::path& path);

/// Throws Error(config) when `path` holds an artifact of another kind than `kinds` (empty = any);
/// what has no known kind passes. `where` begins the message.
void check_artifact_kind(const std::filesystem::path& path, const std::vector<std::string>& kinds,
                         const std::string& where);

/// The relative paths of a folder's outputs, sorted.
std::vector<std::string> output_files(const std::filesystem::path& folder);

}  // namespace finstill::base
