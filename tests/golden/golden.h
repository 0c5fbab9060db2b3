#pragma once

// Golden numbers: values of reference libraries in JSON files (schema "finstill-golden-1"), each
// case named by an op. A
// *_cases.cpp file registers what computes an op, through the same functions that training calls:
//
//   golden::Outputs run_schedule(const golden::Case& c, const golden::Run&) {
//     golden::Outputs outputs;
//     outputs.set("lr", rates(c.text("schedule"), c.integer("steps")));
//     return outputs;
//   }
//   const bool registered = golden::add_op("lr_schedule", run_schedule);
//
// The harness then compares every output that the file names. Cases with logits register with
// Chunks::each: they run with Run::chunk_rows 1, 3 and all.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "ops/kernels.h"

namespace finstill::golden {

/// How a case is to be computed now.
struct Run {
  at::ScalarType dtype = at::kDouble;  ///< float64 (reference kernels) or float32 (each kernel set)
  ops::KernelSet kernels = ops::KernelSet::reference;
  std::int64_t chunk_rows = 0;  ///< for Chunks::each: 1, 3, or 0 = all rows at once
};

/// A member that must be there. Throws Error(data) that begins with `where`.
const base::Json& member(const base::Json& object, std::string_view key, const std::string& where);

/// A scalar or a tensor of the schema as plain numbers.
std::vector<double> numbers_of(const base::Json& value, const std::string& where);

/// One case of a file. Access throws base::Error naming the case when something is missing or of
/// another type.
class Case {
 public:
  Case(const base::Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  std::string name() const;
  std::string op() const;
  const base::Json& params() const;

  // Parameters, with a fallback where they may be absent.
  bool has_param(std::string_view key) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  std::int64_t integer(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  std::string text(std::string_view key) const;
  bool flag(std::string_view key, bool fallback) const;

  // Inputs: as a tensor (integers stay int64, reals take `dtype`), or as plain numbers.
  bool has_input(std::string_view key) const;
  at::Tensor tensor(std::string_view key, at::ScalarType dtype) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<std::int64_t> shape(std::string_view key) const;

 private:
  const base::Json& input(std::string_view key) const;

  const base::Json& json_;
  std::string where_;
};

/// What a case computed, by the names of the file's outputs.
class Outputs {
 public:
  void set(const std::string& name, double value) { values_[name] = {value}; }
  void set(const std::string& name, std::vector<double> values) {
    values_[name] = std::move(values);
  }
  void set(const std::string& name, const at::Tensor& tensor);

  const std::map<std::string, std::vector<double>>& values() const { return values_; }

 private:
  std::map<std::string, std::vector<double>> values_;
};

using Compute = std::function<Outputs(const Case&, const Run&)>;
enum class Chunks { once, each };

/// Registers what computes an op; called by a static initialiser. An op registered twice is a bug
/// (assert).
bool add_op(const std::string& op, Compute compute, Chunks chunks = Chunks::once);

/// Counts checks, prints those that fail.
class Tally {
 public:
  /// |got - want| <= absolute + relative * |want|, element by element; NaN fails.
  bool check(const std::string& what, const std::vector<double>& got,
             const std::vector<double>& want, double absolute, double relative);
  bool check(const std::string& what, double got, double want, double absolute, double relative);
  void check_true(const std::string& what, bool holds);
  /// A failure of another kind, an exception say.
  void fail(const std::string& what, const std::string& why);

  int passed() const { return passed_; }
  int failed() const { return failed_; }

 private:
  int passed_ = 0, failed_ = 0;
};

/// A file with the numbers of a whole model.
struct ModelFile {
  std::filesystem::path path;
  base::Json json;
  std::filesystem::path model;  ///< FINSTILL_MODEL, or empty: the reader knows where to look
};

/// Registers a reader of model files: `accepts` tells by the content whether the file has its
/// layout.
bool add_model_reader(const std::string& name, std::function<bool(const base::Json&)> accepts,
                      std::function<void(const ModelFile&, Tally&)> run);

// --- for main ---

/// The *.json files of a folder, sorted by name. Throws Error(io) when there is no such folder.
std::vector<std::filesystem::path> golden_files(const std::filesystem::path& folder);
/// Ops of not_yet.txt: lines "op  what will bring it", '#' begins a comment.
std::set<std::string> read_not_yet(const std::filesystem::path& file);
/// Those of the list that the code computes after all.
std::vector<std::string> implemented_among(const std::set<std::string>& not_yet);
/// Runs every case of a file, prints one line of counts. Returns the number of failures; `ran`
/// grows by its cases.
int run_file(const std::filesystem::path& file, const std::set<std::string>& not_yet, int& ran);
/// Runs one model file with the reader that accepts it; returns the number of failures (no check at
/// all is one).
int run_model_file(const std::filesystem::path& file, const std::filesystem::path& model);

}  // namespace finstill::golden
