#include "ops/head_chunks.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "base/error.h"
#include "ops/dispatch.h"
#include "ops/matmul.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kChunkBytes = 48ll << 20;

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
  if (head.scales.defined()) return linear(hidden_RD, {head.weight_VD, head.bias_V, head.scales});
  if (!head.bias_V.defined()) return matmul(hidden_RD, head.weight_VD.t(), hidden_RD.scalar_type());
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
        head_.weight_VD.defined() ? matmul(dlogits_RV, head_.weight_VD, dlogits_RV.scalar_type())
                                  : dlogits_RV;
    if (rows_R.defined()) {
      hidden_.index_copy_(0, rows_R, dhidden_RD);
    } else {
      hidden_.narrow(0, begin, dhidden_RD.size(0)).copy_(dhidden_RD);
    }
  }
  if (needs_.weight) add_matmul(weight_, dlogits_RV.t(), hidden_RD);
  if (needs_.bias) add_to(bias_, dlogits_RV.sum(at::IntArrayRef{0}, false, at::kFloat));
}

}  // namespace finstill::ops
