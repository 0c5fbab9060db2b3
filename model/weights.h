#pragma once

// A model's weights are handed out unit by unit: the loop that drives a model acquires a unit, uses
// its view, releases it. Dense weights lie in memory and acquire costs nothing; sharded ones
// (trainer/distributed) gather on acquire.
//
// Shapes: V vocabulary, D hidden size, Q heads * head size, G key-value heads * head size, F
// intermediate size.

#include <ATen/core/Tensor.h>

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/config.h"
#include "ops/quantized.h"

namespace finstill::model {

/// What is acquired, sharded and recomputed as one piece.
struct Unit {
  enum class Kind { embedding, block, head };
  Kind kind = Kind::embedding;
  std::int64_t index = 0;  ///< of the block, from 0; else 0

  static Unit embedding() { return {Kind::embedding, 0}; }
  static Unit block(std::int64_t index) { return {Kind::block, index}; }
  /// The final norm, and the head's matrix where it is not tied.
  static Unit head() { return {Kind::head, 0}; }

  auto operator<=>(const Unit&) const = default;
};

/// "embedding", "block 7", "head": for messages.
std::string name(Unit unit);

/// embedding, block 0 .. blocks-1, head: the order of the forward pass.
std::vector<Unit> units(const ModelConfig& config);

/// The part that a weight plays in its unit. The families differ in which of them exist, never in
/// what they mean.
enum class Role {
  embedding,       ///< [V, D]
  attention_norm,  ///< [D]
  query,           ///< [Q, D]
  key,             ///< [G, D]
  value,           ///< [G, D]
  query_norm,      ///< [head size]
  key_norm,        ///< [head size]
  output,          ///< [D, Q]
  mlp_norm,        ///< [D]
  gate,            ///< [F, D]
  up,              ///< [F, D]
  down,            ///< [D, F]
  final_norm,      ///< [D]
  head,            ///< [V, D]; only where it is not tied
};
inline constexpr std::size_t role_count = 14;

/// "query", "gate", ...: for messages.
std::string_view name(Role role);

/// One named tensor of a model.
struct Parameter {
  std::string name;  ///< Hugging Face: "model.layers.3.self_attn.q_proj.weight"
  Unit unit;
  Role role = Role::embedding;
  bool bias = false;
  std::vector<std::int64_t> shape;

  bool is_norm() const;
  /// Weight decay applies: a matrix, neither a bias nor a norm.
  bool decays() const { return !bias && !is_norm(); }
  std::int64_t count() const;
};

/// One weight of a unit as it is stored.
struct LinearWeight {
  /// [out, in], or [n] of a norm; with scales small integers (ops/quantized.h)
  at::Tensor weight;
  at::Tensor bias;    ///< [out]; undefined = none
  at::Tensor scales;  ///< undefined = dense

  bool present() const { return weight.defined(); }
};

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

/// The weights of one unit, valid until the unit is released. A view is cheap to copy: it shares
/// storage.
class UnitView {
 public:
  UnitView() = default;
  explicit UnitView(Unit unit) : unit_(unit) {}

  Unit unit() const { return unit_; }
  const LinearWeight& operator[](Role role) const {
    return weights_[static_cast<std::size_t>(role)];
  }
  /// A norm's vector.
  const at::Tensor& vector(Role role) const { return (*this)[role].weight; }

  /// Adds a matrix of small integers; it is no leaf.
  void add(Role role, const ops::QuantizedMatrix& matrix);

  /// Adds a tensor; the order of the calls is the order of leaves().
  void add(const Parameter& parameter, const at::Tensor& tensor);

  /// Turns every tensor of the view into a leaf that takes part in automatic differentiation (same
  /// storage, detached from anything else) and returns them in the order of the unit's parameters.
  /// Without this call a view is constant: a model is trained through its leaves or through its
  /// adapters' leaves, never both by accident.
  std::vector<at::Tensor> leaves();

  /// Names and tensors in the same order.
  std::vector<NamedTensor> tensors() const;

 private:
  struct Entry {
    std::string name;
    Role role;
    bool bias;
  };
  at::Tensor& at(const Entry& entry);
  const at::Tensor& at(const Entry& entry) const;

  Unit unit_;
  std::array<LinearWeight, role_count> weights_;
  std::vector<Entry> entries_;
};

/// Where a model's weights come from while it runs. A unit may be acquired more than once (a tied
/// head acquires the embedding); each acquire has its release.
class Weights {
 public:
  virtual ~Weights() = default;
  virtual UnitView acquire(Unit unit) = 0;
  virtual void release(Unit unit) = 0;
  /// Of the activations that they are for. Matrices may be stored otherwise: as small integers, or
  /// as bfloat16 where widens_bfloat16() (ops/linear.h) holds.
  virtual at::ScalarType dtype() const = 0;
};

/// Acquires for the length of a scope.
class Acquired {
 public:
  Acquired(Weights& weights, Unit unit) : weights_(weights), view_(weights.acquire(unit)) {}
  ~Acquired() { weights_.release(view_.unit()); }
  Acquired(const Acquired&) = delete;
  Acquired& operator=(const Acquired&) = delete;

  UnitView& operator*() { return view_; }
  UnitView* operator->() { return &view_; }

 private:
  Weights& weights_;
  UnitView view_;
};

/// All weights in memory, one dtype. Tensors are contiguous. Who trains keeps float32 masters of
/// its own and writes the compute copies here with refresh().
class DenseWeights : public Weights {
 public:
  /// Uninitialised tensors of every parameter of `config`.
  DenseWeights(const ModelConfig& config, at::ScalarType dtype, const std::string& device = "cpu");

  /// Existing tensors, one for each parameter of `config` in the order of parameters(), of one
  /// dtype; shared, not copied.
  DenseWeights(const ModelConfig& config, std::vector<at::Tensor> tensors);

  UnitView acquire(Unit unit) override { return view(unit); }
  void release(Unit) override {}

  /// What acquire() gives; the tensors may be written to.
  UnitView view(Unit unit) const;

  /// Every parameter in the order of units(), inside a unit in the order of its leaves.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const at::Tensor& tensor(std::string_view name) const;
  const at::Tensor& tensor(std::size_t index) const { return tensors_[index]; }

  /// Copies (and converts) `source` into parameter `index`; shapes must have equal counts, so a
  /// flat master fits.
  void refresh(std::size_t index, const at::Tensor& source);

  /// A converted copy; the same dtype copies too.
  DenseWeights to(at::ScalarType dtype) const;
  at::ScalarType dtype() const override { return dtype_; }
  std::int64_t bytes() const;

 private:
  void add_parameters(const ModelConfig& config);

  std::vector<Parameter> parameters_;
  std::vector<at::Tensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::map<Unit, std::pair<std::size_t, std::size_t>>
      ranges_;  // first and past-the-last parameter of a unit
  at::ScalarType dtype_ = at::ScalarType::Float;
};

/// A dtype in which weights are stored: "float32", "bfloat16" or "float16". Throws Error(config)
/// beginning with `where`.
at::ScalarType parse_storage_dtype(std::string_view text, std::string_view where);
std::string storage_dtype_name(at::ScalarType dtype);

}  // namespace finstill::model
