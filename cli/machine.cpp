#include "cli/machine.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "ops/kernels.h"
#include "ops/linear.h"
#include "ops/tensor.h"

namespace finstill::cli {
namespace {

using base::Clock;
using base::seconds_since;

/// Repeats `work` for half a second after one warm-up and returns how often it ran in a second.
template <typename Work>
double runs_per_second(const Work& work) {
  work();
  const auto start = Clock::now();
  int runs = 0;
  do {
    work();
    ++runs;
  } while (seconds_since(start) < 0.5);
  return runs / seconds_since(start);
}

/// Values as they come in a model: products of constants need less power, so that a processor runs
/// them up to a fifth faster.
at::Tensor various(std::int64_t rows, std::int64_t columns, at::ScalarType dtype) {
  base::Random random(0, "machine");
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  for (float& value : values) value = static_cast<float>(random.uniform(-0.5, 0.5));
  return ops::cast(ops::tensor_from(values, {rows, columns}), dtype);
}

double measure_matmul(at::ScalarType dtype) {
  constexpr std::int64_t tokens = 1024, inputs = 576, outputs = 1536;
  const at::Tensor x = various(tokens, inputs, dtype);
  const at::Tensor weight = various(outputs, inputs, dtype);
  const ops::InferenceGuard no_gradients;
  return 2.0 * tokens * inputs * outputs * runs_per_second([&] { ops::linear(x, weight); });
}

/// One row through a matrix larger than the caches: what a decoding step does, bound by reading the
/// weights.
double measure_read(at::ScalarType dtype) {
  constexpr std::int64_t inputs = 4096, outputs = 16384;
  const at::Tensor x = ops::full({1, inputs}, 0.5, dtype);
  const at::Tensor weight = ops::full({outputs, inputs}, 0.25, dtype);
  const ops::InferenceGuard no_gradients;
  return static_cast<double>(ops::bytes_of(weight).size()) *
         runs_per_second([&] { ops::linear(x, weight); });
}

// A training token costs three products a weight (forward, input gradient, weight gradient), two
// operations each. What is not matrix work takes as long again beside a matrix unit, a quarter of
// that elsewhere (bench/results).
constexpr double training_operations = 6;
constexpr double training_efficiency_amx = 0.5, training_efficiency = 0.8;
// Generation reads every weight once for a batch; batches of evaluation hold about this many
// sequences.
constexpr double generation_batch = 16, generation_efficiency = 0.35;

}  // namespace

Machine measure_machine(const base::Runtime& runtime) {
  Machine machine;
  const ops::Processor& processor = ops::processor();
  machine.processor = processor.name;
  machine.amx = processor.amx_bf16;
  machine.multiplies_bfloat16 = processor.amx_bf16 || processor.avx512_bf16;
  machine.threads = ops::threads();
  const at::ScalarType dtype = ops::choose_dtype(runtime.dtype).dtype;
  machine.dtype = ops::dtype_name(dtype);
  machine.matmul_flops = measure_matmul(dtype);
  machine.read_bytes = measure_read(dtype);
  return machine;
}

double estimate_seconds(const base::StagePlan& plan, const Machine& machine) {
  const double train =
      training_operations * plan.parameters * static_cast<double>(plan.training_tokens) /
      (machine.matmul_flops * (machine.amx ? training_efficiency_amx : training_efficiency));
  const double bytes_per_weight = machine.dtype == "bfloat16" ? 2 : 4;
  const double generate = static_cast<double>(plan.generated_tokens) / generation_batch *
                          plan.parameters * bytes_per_weight /
                          (machine.read_bytes * generation_efficiency);
  return train + generate;
}

std::string suitable_profile(const Machine& machine) {
  return machine.multiplies_bfloat16 ? "full" : "quick";
}

}  // namespace finstill::cli
