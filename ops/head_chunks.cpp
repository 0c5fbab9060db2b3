#include "ops/head_chunks.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "base/error.h"
#include "ops/dispatch.h"
#include "ops/matmul.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kChunkBytes = 96ll << 20;

/// sum (float32) += part, which may be bfloat16.
void add_to(at::Tensor& sum, const at::Tensor& part) {
  if (!sum.defined()) {
    sum = part.to(at::kFloat);
    return;
  }
  const cpu::RowKernels& kernels = row_kernels(part);
  const std::int64_t size = part.element_size();
  at::parallel_for(0, part.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    kernels.add(sum.data_ptr<float>() + begin,
                static_cast<const char*>(part.const_data_ptr()) + begin * size, end - begin);
  });
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  return takes_tile_matmul(a) && takes_tile_matmul(b) ? matmul(a, b, a.scalar_type())
                                                      : at::mm(a, b);
}

}  // namespace

std::int64_t vocabulary_of(const Head& head, const at::Tensor& hidden_TD) {
  return head.weight_VD.defined() ? head.weight_VD.size(0) : hidden_TD.size(1);
}

std::int64_t valid_vocabulary_of(const Head& head, const at::Tensor& hidden_TD) {
  const std::int64_t vocabulary = vocabulary_of(head, hidden_TD);
  if (head.valid_vocabulary < 0 || head.valid_vocabulary > vocabulary) {
    base::fail(base::ExitCode::config, "the head has {} rows, fewer than the vocabulary of {}",
               vocabulary, head.valid_vocabulary);
  }
  return head.valid_vocabulary == 0 ? vocabulary : head.valid_vocabulary;
}

std::int64_t rows_per_chunk(std::int64_t wish, std::int64_t vocabulary, std::int64_t element_size) {
  if (wish > 0) return wish;
  return std::max<std::int64_t>(
      16, kChunkBytes / (std::max<std::int64_t>(1, vocabulary) * element_size));
}

at::Tensor chunk_logits(const at::Tensor& hidden_RD, const Head& head) {
  if (!head.weight_VD.defined()) return hidden_RD.clone(at::MemoryFormat::Contiguous);
  if (takes_tile_matmul(hidden_RD) && takes_tile_matmul(head.weight_VD) && !head.bias_V.defined())
    return matmul(hidden_RD, head.weight_VD.t(), hidden_RD.scalar_type());
  return at::linear(hidden_RD, head.weight_VD, optional_of(head.bias_V)).contiguous();
}

HeadNeeds needed_gradients(const at::Tensor& hidden_TD, const Head& head) {
  if (!c10::GradMode::is_enabled()) return {};
  return {hidden_TD.requires_grad(), head.weight_VD.defined() && head.weight_VD.requires_grad(),
          head.bias_V.defined() && head.bias_V.requires_grad()};
}

HeadGradients::HeadGradients(const at::Tensor& hidden_TD, const Head& head, HeadNeeds needs)
    : head_(head), needs_(needs) {
  if (needs_.hidden)
    hidden_ = at::zeros(hidden_TD.sizes(), hidden_TD.options().requires_grad(false));
}

void HeadGradients::add(const at::Tensor& dlogits_RV, const at::Tensor& hidden_RD,
                        const at::Tensor& rows_R, std::int64_t begin) {
  if (needs_.hidden) {
    const at::Tensor dhidden_RD =
        head_.weight_VD.defined() ? product(dlogits_RV, head_.weight_VD) : dlogits_RV;
    if (rows_R.defined()) {
      hidden_.index_copy_(0, rows_R, dhidden_RD);
    } else {
      hidden_.narrow(0, begin, dhidden_RD.size(0)).copy_(dhidden_RD);
    }
  }
  if (needs_.weight) {
    if (takes_tile_matmul(dlogits_RV) && takes_tile_matmul(hidden_RD)) {
      if (!weight_.defined()) weight_ = at::zeros(head_.weight_VD.sizes(), at::kFloat);
      add_matmul(weight_, dlogits_RV.t(), hidden_RD);
    } else if (weight_.defined() && dlogits_RV.scalar_type() == at::kFloat) {
      weight_.addmm_(dlogits_RV.t(), hidden_RD);
    } else {
      add_to(weight_, at::mm(dlogits_RV.t(), hidden_RD).contiguous());
    }
  }
  if (needs_.bias) add_to(bias_, dlogits_RV.sum(at::IntArrayRef{0}, false, at::kFloat));
}

}  // namespace finstill::ops
