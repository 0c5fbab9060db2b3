#include "engine/local.h"
#include "ops/kernels.h"
#include "ops/linear.h"

namespace finstill::engine {

LocalModel::LocalModel(const std::filesystem::path& reference, const std::filesystem::path& adapter,
                       const base::Runtime& runtime)
    : opened_(
          model::open_model(reference, {.dtype = ops::choose_dtype(runtime.dtype).dtype,
                                        .device = runtime.device,
                                        .format = ops::parse_weight_format(runtime.weights),
                                        .keep_bfloat16 = ops::widens_bfloat16(
                                            ops::choose_dtype(runtime.dtype).dtype, runtime.device),
                                        .adapter = adapter})),
      tokenizer_(text::load_tokenizer(opened_.folders.tokenizer, opened_.folders.model)),
      chat_template_(text::chat_template_of(*tokenizer_)) {}

model::Weights& LocalModel::weights() const {
  return opened_.any_weights();
}

std::int64_t LocalModel::weight_bytes() const {
  return opened_.compact != nullptr ? opened_.compact->bytes() : opened_.weights->bytes();
}

std::unique_ptr<Generator> LocalModel::generator(const LocalOptions& options) const {
  return local_generator({.model = opened_.model,
                          .weights = weights(),
                          .adapters = opened_.adapters.get(),
                          .tokenizer = *tokenizer_,
                          .chat_template = chat_template_},
                         options);
}

}  // namespace finstill::engine
