#include "ops/row_products.h"

#include <vector>

#include "ops/dispatch.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kOutputStripe = cpu::kWidenedOutputs;

cpu::RowProduct product_of(const at::Tensor& a, const MapProduct& product,
                           const at::Tensor& beside) {
  const at::Tensor& weight = product.map.weight_OI;
  cpu::RowProduct p;
  attach(p, product, beside);
  p.x = a.const_data_ptr<float>();
  p.x_stride = a.stride(0);
  p.w = weight.const_data_ptr();
  p.w_is_bfloat16 = weight.scalar_type() == at::kBFloat16;
  p.w_stride = weight.stride(0);
  p.rows = a.size(0);
  p.k = a.size(1);
  return p;
}

}  // namespace

bool takes_row_products(const at::Tensor& a, const LinearMap& map) {
  return takes_cpu_kernels(a) && a.scalar_type() == at::kFloat && a.stride(1) == 1 &&
         !map.scales.defined() && map.weight_OI.stride(1) == 1 &&
         (map.weight_OI.scalar_type() == at::kFloat ||
          map.weight_OI.scalar_type() == at::kBFloat16);
}

void multiply_rows(const at::Tensor& a, std::span<const MapProduct> products,
                   const at::Tensor& beside) {
  std::vector<cpu::RowProduct> whole;
  for (const MapProduct& product : products) whole.push_back(product_of(a, product, beside));
  const auto room = sizeof(float) * static_cast<std::size_t>(cpu::widened_room(a.size(1)));
  over_stripes(whole, kOutputStripe, [&](cpu::RowProduct& piece) {
    if (piece.w_is_bfloat16) piece.room = static_cast<float*>(thread_workspace(room));
    cpu::kernel_table().element.multiply_rows(piece);
  });
}

}  // namespace finstill::ops
