#include "ops/profile.h"

#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/clock.h"

namespace finstill::ops {
namespace {

using base::Clock;

/// What all threads heard so far.
struct Heard {
  std::mutex mutex;
  std::map<std::string, OperationTime> operations;
};

Heard& heard() {
  static Heard all;
  return all;
}

/// One call that has not returned.
struct Call : at::ObserverContext {
  std::string name;
  double flops = 0, bytes = 0;
  Call* caller = nullptr;
  double callees_seconds = 0;
  Clock::time_point start;
};

thread_local Call* innermost = nullptr;

double bytes_of_tensors(c10::ArrayRef<const c10::IValue> values) {
  double bytes = 0;
  for (const c10::IValue& value : values) {
    if (value.isTensor() && value.toTensor().defined())
      bytes += static_cast<double>(value.toTensor().nbytes());
  }
  return bytes;
}

/// "torch::autograd::CppNode<finstill::ops::(anonymous namespace)::RmsNorm>" is "RmsNorm backward".
std::string readable(std::string_view name) {
  if (const std::size_t node = name.find("CppNode<"); node != std::string_view::npos) {
    name.remove_prefix(node + std::string_view("CppNode<").size());
    name = name.substr(0, name.rfind('>'));
    if (const std::size_t scope = name.rfind("::"); scope != std::string_view::npos)
      name.remove_prefix(scope + 2);
    return std::string(name) + " backward";
  }
  return std::string(name);
}

void describe(Call& call, at::IntArrayRef left, at::IntArrayRef right) {
  call.flops = 2;
  for (const std::int64_t size : left) call.flops *= static_cast<double>(size);
  call.flops *= static_cast<double>(right.back());
  call.name = fmt::format("{} [{}]x[{}]", call.name, fmt::join(left, ","), fmt::join(right, ","));
}

/// A matrix product is named with its shapes and its operations are counted. matmul_each() has
/// matrices [outputs, k] after its rows.
void describe_product(Call& call, c10::ArrayRef<const c10::IValue> inputs) {
  if (call.name == "finstill::matmul_each") {
    std::int64_t outputs = 0;
    for (const c10::IValue& matrix : inputs.slice(1)) outputs += matrix.toTensor().size(0);
    const auto left = inputs[0].toTensor().sizes();
    describe(call, left, {left.back(), outputs});
    return;
  }
  const bool adds = call.name == "aten::addmm";
  if (!adds && call.name != "aten::mm" && call.name != "aten::bmm" &&
      call.name != "finstill::matmul")
    return;
  const std::size_t first = adds ? 1 : 0;
  if (inputs.size() < first + 2 || !inputs[first].isTensor()) return;
  describe(call, inputs[first].toTensor().sizes(), inputs[first + 1].toTensor().sizes());
}

std::unique_ptr<at::ObserverContext> call_begins(const at::RecordFunction& function) {
  auto call = std::make_unique<Call>();
  call->name = readable(function.name());
  // A backward node's inputs are only the gradients: what it saved is not among them.
  if (function.scope() == at::RecordScope::FUNCTION)
    call->bytes = bytes_of_tensors(function.inputs());
  describe_product(*call, function.inputs());
  call->caller = std::exchange(innermost, call.get());
  call->start = Clock::now();
  return call;
}

void call_ends(const at::RecordFunction&, at::ObserverContext* context) {
  auto& call = *static_cast<Call*>(context);
  const double seconds = base::seconds_since(call.start);
  innermost = call.caller;
  if (call.caller != nullptr) call.caller->callees_seconds += seconds;
  const std::lock_guard lock(heard().mutex);
  OperationTime& sum = heard().operations[call.name];
  ++sum.calls;
  sum.seconds += seconds - call.callees_seconds;
  sum.flops += call.flops;
  sum.bytes += call.bytes;
}

}  // namespace

Profile::Profile() {
  listener_ = at::addGlobalCallback(
      at::RecordFunctionCallback(call_begins, call_ends)
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
}

Profile::~Profile() {
  if (listening_) stop();
}

std::vector<OperationTime> Profile::stop() {
  listening_ = false;
  at::removeCallback(listener_);
  std::vector<OperationTime> found;
  const std::lock_guard lock(heard().mutex);
  for (auto& [name, operation] : heard().operations) {
    operation.name = name;
    found.push_back(operation);
  }
  heard().operations.clear();
  std::ranges::stable_sort(found, std::greater(), &OperationTime::seconds);
  return found;
}

}  // namespace finstill::ops
