#pragma once

// How a block's queries find their keys: within packed documents (training, scoring) or through a
// cache (generation).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "model/kv_cache.h"

namespace finstill::model {

class Attention {
 public:
  virtual ~Attention() = default;

  /// Causal attention of block `index`. q [T, heads, K], k and v [T, key-value heads, K], rotated
  /// already; K = head size. Scores are divided by sqrt(K). Returns [T, heads, K].
  virtual at::Tensor attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                            const at::Tensor& v_TGK) = 0;
};

/// Documents one after another without padding; none sees another. Differentiable.
class Packed : public Attention {
 public:
  /// cu_seqlens [documents + 1]: first row of each document, then the number of rows.
  /// `sliding_window` as in ModelConfig.
  explicit Packed(std::vector<std::int64_t> cu_seqlens,
                  std::optional<SlidingWindow> sliding_window = {});

  at::Tensor attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                    const at::Tensor& v_TGK) override;

 private:
  std::vector<std::int64_t> cu_seqlens_;
  std::optional<SlidingWindow> window_;
};

/// New rows of several sequences, whose earlier keys and values lie in a cache. Rows of one
/// sequence follow each other; the first of them is at position cache.length(slot). attend()
/// appends the new keys and values to the cache; commit() after the last block makes them part of
/// the sequences. Not differentiable.
class Cached : public Attention {
 public:
  struct Piece {
    std::int64_t slot = 0;
    std::int64_t rows = 0;  ///< new ones, at least 1
  };
  /// Grows the cache where a piece needs it. A slot appears in at most one piece.
  Cached(KvCache& cache, std::vector<Piece> pieces,
         std::optional<SlidingWindow> sliding_window = {});

  at::Tensor attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                    const at::Tensor& v_TGK) override;
  void commit();

  /// [T] int64 positions of the new rows, for Model::rotation.
  at::Tensor positions() const;

 private:
  KvCache& cache_;
  std::vector<Piece> pieces_;
  std::vector<std::int64_t> cu_rows_;  // [pieces + 1] first row of each piece
  at::Tensor places_;                  // where each row goes in the cache
  std::optional<SlidingWindow> window_;
};

}  // namespace finstill::model
