#include "ops/row_products.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "ops/dispatch.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kOutputStripe = 12;  // outputs

cpu::RowProduct product_of(const at::Tensor& a, const FewRowsProduct& product,
                           const at::Tensor& beside) {
  const at::Tensor& weight = product.map.weight_OI;
  cpu::RowProduct p;
  p.x = a.const_data_ptr<float>();
  p.x_stride = a.stride(0);
  p.w = weight.const_data_ptr<float>();
  p.w_stride = weight.stride(0);
  p.y = product.c.data_ptr<float>();
  p.y_stride = product.c.stride(0);
  if (beside.defined()) {
    p.beside = beside.const_data_ptr<float>();
    p.beside_stride = beside.stride(0);
  }
  p.rows = a.size(0);
  p.k = a.size(1);
  p.output_end = weight.size(0);
  return p;
}

}  // namespace

bool takes_row_products(const at::Tensor& a, const LinearMap& map) {
  return takes_cpu_kernels(a) && a.scalar_type() == at::kFloat && a.stride(1) == 1 &&
         !map.scales.defined() && map.weight_OI.scalar_type() == at::kFloat &&
         map.weight_OI.stride(1) == 1;
}

void multiply_rows(const at::Tensor& a, std::span<const FewRowsProduct> products,
                   const at::Tensor& beside) {
  std::vector<cpu::RowProduct> whole;
  std::vector<std::int64_t> first_stripe = {0};
  for (const FewRowsProduct& product : products) {
    whole.push_back(product_of(a, product, beside));
    first_stripe.push_back(first_stripe.back() +
                           (whole.back().output_end + kOutputStripe - 1) / kOutputStripe);
  }
  at::parallel_for(0, first_stripe.back(), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      cpu::RowProduct piece = whole[i];
      piece.output_begin = std::max<std::int64_t>(0, begin - first_stripe[i]) * kOutputStripe;
      piece.output_end = std::min(piece.output_end, (end - first_stripe[i]) * kOutputStripe);
      if (piece.output_begin < piece.output_end) cpu::kernel_table().element.multiply_rows(piece);
    }
  });
}

}  // namespace finstill::ops
