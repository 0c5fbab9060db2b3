#pragma once

// The generator that runs a model in this process.
//
// Continuous batching: each step is one forward pass over whatever there is to compute, the next
// row of every running sequence and the prompts (or parts of prompts) of new ones, packed without
// padding. Keys and values of earlier tokens lie in a KV cache; common beginnings of prompts are
// computed once (slots.h). Only a sequence's last row meets the head.
//
// A request's random draws depend on its own seed and positions alone, and its attention on its own
// tokens alone. In float32 and in bfloat16 its results are the same bit for bit whatever runs
// beside it, however its prompt is cut and whether its beginning was computed or copied: products
// and attention are our own kernels and give a row the same bits in any company. The exceptions are
// bfloat16 with AVX-512 alone, float64 and --kernels reference, where products are the library's
// and round differently for different numbers of rows: passes are filled up to whole groups of 8
// rows there, with which the rows of those that we tried (bfloat16, LibTorch 2.11) are equal too.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/stage.h"
#include "engine/generator.h"
#include "model/adapters.h"
#include "model/model.h"
#include "model/reference.h"
#include "model/weights.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace finstill::engine {

struct LocalOptions {
  std::int64_t max_batch = 32;  ///< sequences that run at once
  /// At most this many tokens of prompts in one forward pass, and this many new ones beside them; a
  /// longer prompt goes in parts of this size.
  std::int64_t rows_per_step = 2048;
  std::int64_t context_length = 0;  ///< 0 = what the model's config says
  std::int64_t cache_bytes =
      std::int64_t{2} << 30;     ///< fewer sequences run at once when their cache would be larger
  bool share_beginnings = true;  ///< copy the cache of common beginnings instead of computing it
  /// Keep the cache while nothing runs, so that the next turn of a conversation begins where the
  /// last one ended. Only where the weights stay as they are.
  bool keep_when_idle = false;
  text::RenderOptions
      render;  ///< variables for the chat template; the assistant's turn is always opened
};

/// What a local generator works with; everything outlives it. Weights may change while it is idle.
struct LocalParts {
  const model::Model& model;
  model::Weights& weights;
  const model::Adapters* adapters = nullptr;  ///< null = the plain model
  const text::Tokenizer& tokenizer;
  const text::ChatTemplate& chat_template;
};

/// Throws Error(data) when the tokenizer has ids that the model's embedding does not have.
std::unique_ptr<Generator> local_generator(const LocalParts& parts,
                                           const LocalOptions& options = {});

/// A model reference opened with all that belongs to it. Does not move: the generators refer to it.
class LocalModel {
 public:
  /// `reference`: a model folder, an artifact or an adapter (model/reference.h); `adapter`: a PEFT
  /// folder on top, or empty. `dtype`: "float32", "bfloat16", "float64" or "auto". Throws Error as
  /// open_model and load_tokenizer do.
  LocalModel(const std::filesystem::path& reference, const std::filesystem::path& adapter,
             const base::Runtime& runtime);
  LocalModel(const LocalModel&) = delete;
  LocalModel& operator=(const LocalModel&) = delete;

  const model::OpenedModel& opened() const { return opened_; }
  /// What it runs on, in the format that runtime.weights names.
  model::Weights& weights() const;
  /// Bytes of the matrices and vectors that every token reads.
  std::int64_t weight_bytes() const;
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  const text::ChatTemplate& chat_template() const { return chat_template_; }

  std::unique_ptr<Generator> generator(const LocalOptions& options = {}) const;

 private:
  model::OpenedModel opened_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  text::ChatTemplate chat_template_;
};

}  // namespace finstill::engine
