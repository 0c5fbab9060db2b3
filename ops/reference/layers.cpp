#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops::reference {

at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  const at::Tensor y_TO = at::matmul(x_TI, weight_OI.transpose(0, 1));
  return bias_O.defined() ? y_TO + bias_O : y_TO;
}

at::Tensor embedding(const at::Tensor& weight_VD, const at::Tensor& ids_T) {
  return at::embedding(weight_VD, ids_T);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor wide = x.to(compute_dtype(x));
  const at::Tensor mean_square = (wide * wide).mean(-1, /*keepdim=*/true);
  const at::Tensor normal = wide * at::rsqrt(mean_square + epsilon);
  return normal.to(x.scalar_type()) * weight;
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  const at::Tensor wide = gate.to(compute_dtype(gate));
  const at::Tensor silu = wide * at::sigmoid(wide);
  return (silu * up.to(wide.scalar_type())).to(gate.scalar_type());
}

at::Tensor rope(const at::Tensor& x_THD, const RopeTable& table, const at::Tensor& positions_T) {
  const at::ScalarType inside = compute_dtype(x_THD);
  const std::int64_t half = x_THD.size(-1) / 2;
  const at::Tensor cos = table.cos.index_select(0, positions_T).unsqueeze(1).to(inside);
  const at::Tensor sin = table.sin.index_select(0, positions_T).unsqueeze(1).to(inside);
  const at::Tensor first = x_THD.narrow(-1, 0, half).to(inside);
  const at::Tensor second = x_THD.narrow(-1, half, half).to(inside);
  return at::cat({first * cos - second * sin, second * cos + first * sin}, -1)
      .to(x_THD.scalar_type());
}

}  // namespace finstill::ops::reference
