#include "tests/golden/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "ops/tensor.h"

namespace finstill::golden {
namespace {

using base::ExitCode;
using base::Json;

struct Op {
  Compute compute;
  Chunks chunks;
};

std::map<std::string, Op>& registered_ops() {
  static std::map<std::string, Op> ops;
  return ops;
}

struct ModelReader {
  std::string name;
  std::function<bool(const Json&)> accepts;
  std::function<void(const ModelFile&, Tally&)> run;
};

std::vector<ModelReader>& model_readers() {
  static std::vector<ModelReader> readers;
  return readers;
}

bool close(double got, double want, double absolute, double relative) {
  return got == want || std::abs(got - want) <= absolute + relative * std::abs(want);
}

bool all_close(const std::vector<double>& got, const std::vector<double>& want, double absolute,
               double relative) {
  if (got.size() != want.size()) return false;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!close(got[i], want[i], absolute, relative)) return false;
  }
  return true;
}

struct Tolerance {
  double absolute, relative;
};

std::optional<Tolerance> tolerance(const Json& json, std::string_view key,
                                   const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end()) return std::nullopt;
  return Tolerance{base::json_number(*found, "abs", where),
                   base::json_number(*found, "rel", where)};
}

/// Float32 results may be held against the library's float32 numbers or against the float64 ones.
bool matches_either(const std::string& name, const std::vector<double>& got, const Json& json,
                    Tolerance tolerance, const std::string& where) {
  for (const char* set : {"outputs_f32", "outputs"}) {
    const auto outputs = json.find(set);
    if (outputs == json.end()) continue;
    const auto want = outputs->find(name);
    if (want != outputs->end() &&
        all_close(got, numbers_of(*want, where), tolerance.absolute, tolerance.relative)) {
      return true;
    }
  }
  return false;
}

void compare(const Json& json, const Outputs& outputs, const Run& run, Tolerance tolerance,
             const std::string& what, Tally& tally) {
  for (const auto& [name, want] : member(json, "outputs", what).items()) {
    const auto got = outputs.values().find(name);
    const std::string label = fmt::format("{}: {}", what, name);
    if (got == outputs.values().end()) {
      tally.fail(label, "not computed");
    } else if (run.dtype == at::kFloat &&
               matches_either(name, got->second, json, tolerance, what)) {
      tally.check_true(label, true);
    } else {
      tally.check(label, got->second, numbers_of(want, label), tolerance.absolute,
                  tolerance.relative);
    }
  }
}

void run_once(const Op& op, const Json& json, const Run& run, Tolerance tolerance,
              const std::string& where, Tally& tally) {
  const std::string what =
      fmt::format("{} [{}, {} kernels, chunk {}]", where, ops::dtype_name(run.dtype),
                  ops::kernel_set_name(run.kernels),
                  run.chunk_rows == 0 ? "all" : std::to_string(run.chunk_rows));
  try {
    const ops::KernelScope scope(run.kernels);
    compare(json, op.compute(Case(json, where), run), run, tolerance, what, tally);
  } catch (const std::exception& error) {
    tally.fail(what, error.what());
  }
}

void run_case(const Op& op, const Json& json, const std::string& where, Tally& tally) {
  const std::vector<std::int64_t> chunks =
      op.chunks == Chunks::each ? std::vector<std::int64_t>{1, 3, 0} : std::vector<std::int64_t>{0};
  const std::optional<Tolerance> wide = tolerance(json, "tol", where),
                                 narrow = tolerance(json, "tol_f32", where);
  if (!wide) base::fail(ExitCode::data, "{}: \"tol\" is missing", where);
  for (const std::int64_t chunk : chunks) {
    run_once(op, json, {at::kDouble, ops::KernelSet::reference, chunk}, *wide, where, tally);
    if (!narrow) continue;
    for (const ops::KernelSet kernels : {ops::KernelSet::reference, ops::KernelSet::automatic}) {
      run_once(op, json, {at::kFloat, kernels, chunk}, *narrow, where, tally);
    }
  }
}

}  // namespace

void Outputs::set(const std::string& name, const at::Tensor& tensor) {
  values_[name] = ops::to_doubles(tensor);
}

bool add_op(const std::string& op, Compute compute, Chunks chunks) {
  const bool is_new = registered_ops().emplace(op, Op{std::move(compute), chunks}).second;
  assert(is_new);
  return is_new;
}

bool add_model_reader(const std::string& name, std::function<bool(const Json&)> accepts,
                      std::function<void(const ModelFile&, Tally&)> run) {
  model_readers().push_back({name, std::move(accepts), std::move(run)});
  return true;
}

bool Tally::check(const std::string& what, const std::vector<double>& got,
                  const std::vector<double>& want, double absolute, double relative) {
  if (all_close(got, want, absolute, relative)) {
    ++passed_;
    return true;
  }
  if (got.size() != want.size()) {
    fail(what, fmt::format("{} values, expected {}", got.size(), want.size()));
    return false;
  }
  std::size_t worst = 0, wrong = 0;
  double excess = -1;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (close(got[i], want[i], absolute, relative)) continue;
    ++wrong;
    const double over = std::abs(got[i] - want[i]) - (absolute + relative * std::abs(want[i]));
    if (!(over <= excess)) excess = over, worst = i;
  }
  fail(what, fmt::format("{} of {} values differ; [{}] is {:.12g}, expected {:.12g} within {:g} + "
                         "{:g} * |expected|",
                         wrong, got.size(), worst, got[worst], want[worst], absolute, relative));
  return false;
}

bool Tally::check(const std::string& what, double got, double want, double absolute,
                  double relative) {
  return check(what, std::vector<double>{got}, std::vector<double>{want}, absolute, relative);
}

void Tally::check_true(const std::string& what, bool holds) {
  if (holds) {
    ++passed_;
  } else {
    fail(what, "does not hold");
  }
}

void Tally::fail(const std::string& what, const std::string& why) {
  ++failed_;
  fmt::print(stderr, "FAILED {}: {}\n", what, why);
}

std::vector<std::filesystem::path> golden_files(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    base::fail(ExitCode::io, "{}: no such folder", folder.string());
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::set<std::string> read_not_yet(const std::filesystem::path& file) {
  std::set<std::string> ops;
  std::ifstream stream(file);
  if (!stream) base::fail(ExitCode::io, "{}: cannot be read", file.string());
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string op;
    if (words >> op && op[0] != '#') ops.insert(op);
  }
  return ops;
}

std::vector<std::string> implemented_among(const std::set<std::string>& not_yet) {
  std::vector<std::string> both;
  for (const auto& [op, unused] : registered_ops()) {
    if (not_yet.contains(op)) both.push_back(op);
  }
  return both;
}

int run_file(const std::filesystem::path& file, const std::set<std::string>& not_yet, int& ran) {
  Tally tally;
  int cases = 0, later = 0;
  const Json json = base::read_json(file);
  for (const Json& item : member(json, "cases", file.string())) {
    const std::string where = fmt::format("{}: {}", file.filename().string(),
                                          base::json_string(item, "name", file.string()));
    const std::string op = base::json_string(item, "op", where);
    const auto found = registered_ops().find(op);
    if (found != registered_ops().end()) {
      ++cases;
      run_case(found->second, item, where, tally);
    } else if (not_yet.contains(op)) {
      ++later;
    } else {
      tally.fail(where,
                 fmt::format("op \"{}\" is neither implemented nor listed in not_yet.txt", op));
    }
  }
  fmt::print("{}: {} cases, {} checks passed, {} failed, {} cases for later\n",
             file.filename().string(), cases, tally.passed(), tally.failed(), later);
  ran += cases;
  return tally.failed();
}

int run_model_file(const std::filesystem::path& file, const std::filesystem::path& model) {
  const ModelFile input{file, base::read_json(file), model};
  for (const ModelReader& reader : model_readers()) {
    if (!reader.accepts(input.json)) continue;
    Tally tally;
    reader.run(input, tally);
    if (tally.passed() == 0) tally.fail(file.string(), "nothing was checked");
    fmt::print("{} ({}): {} checks passed, {} failed\n", file.string(), reader.name, tally.passed(),
               tally.failed());
    return tally.failed();
  }
  fmt::print(stderr, "FAILED {}: no reader knows this layout\n", file.string());
  return 1;
}

}  // namespace finstill::golden
