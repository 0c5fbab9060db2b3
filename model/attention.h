#pragma once

// How a block's queries find their keys: within packed documents (training, scoring) or through a cache (generation).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "model/kv_cache.h"

namespace finstill::model {

class Attention {
 public:
  virtual ~Attention() = default;

  /// Causal attention of block `index`. q [T, heads, K], k and v [T, key-value heads, K], rotated already; K = head size.
  /// Scores are divided by sqrt(K). Returns [T, heads, K].
  virtual at::Tensor attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                            const at::Tensor& v_TGK) = 0;
};

/// Documents one after another without padding; none sees another. Differentiable.
class Packed : public Attention {
 public:
  /// cu_seqlens [documents + 1]: first row of each document, then the number of rows. A document longer than
  /// `sliding_window` is refused with Error(data): within it full attention is exact.
  explicit Packed(at::Tensor cu_seqlens, std::optional<std::int64_t> sliding_window = {});

  at::Tensor attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                    const at::Tensor& v_TGK) override;

 private:
  at::Tensor cu_seqlens_;
};

/// New rows of several sequences, whose earlier keys and values lie in a cache. Rows of one sequence follow each other;
/// the first of them is at position cache.length(slot). attend() appends the new keys and values to the cache; commit()
/// after the last block makes them part of the sequences. Not differentiable.
class Cached : public Attention {
 public:
  struct Piece {
    std::int64_t slot = 0;
    std::int64_t rows = 0;  ///< new ones, at least 1
  };
  /// Grows the cache where a piece needs it. A sequence that would grow past `sliding_window` is refused.
  Cached(KvCache& cache, std::vector<Piece> pieces, std::optional<std::int64_t> sliding_window = {});

  at::Tensor attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                    const at::Tensor& v_TGK) override;
  void commit();

  /// [T] int64 positions of the new rows, for Model::rotation.
  at::Tensor positions() const;

 private:
  KvCache& cache_;
  std::vector<Piece> pieces_;
};

}  // namespace finstill::model
