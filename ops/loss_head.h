#pragma once

// The last layer and the loss in one operation. Logits are made for a chunk of rows at a time, used
// and thrown away: no [tokens, vocabulary] tensor ever lives in training. T rows, D d_model, V
// vocabulary rows of the head.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace finstill::ops {

/// Hidden state (after the final norm) -> logits:  z = softcap(hidden_D . weight_VD^T + bias_V),
/// softcap(z) = c * tanh(z / c).
struct Head {
  at::Tensor weight_VD;  ///< undefined: hidden holds logits already (width = vocabulary)
  at::Tensor bias_V;     ///< undefined: none
  double softcap = 0;    ///< c; 0 = off
  std::int64_t valid_vocabulary =
      0;  ///< rows from here on only pad the matrix and get no probability; 0 = all valid
  /// Of a matrix of small integers (quantized.h), for logits and log-probs without gradients;
  /// undefined: dense.
  at::Tensor scales = {};
};

enum class DivergenceKind {
  forward_kl,  ///< KL(teacher || student)
  reverse_kl,  ///< KL(student || teacher)
  jsd,  ///< beta * KL(T || M) + (1 - beta) * KL(S || M), M = beta * T + (1 - beta) * S, 0 < beta <
        ///< 1
  skewed_forward_kl,  ///< KL(T || skew * T + (1 - skew) * S)
  skewed_reverse_kl,  ///< KL(S || (1 - skew) * T + skew * S)
};

/// Distance of the student's distribution to the teacher's; both softmax(z / temperature).
/// Sources: Hinton et al. 2015; Agarwal et al. 2024 (GKD); Ko et al. 2024 (DistiLLM).
struct Divergence {
  DivergenceKind kind = DivergenceKind::forward_kl;
  double weight = 1;  ///< in the loss
  double temperature = 1;
  bool t_squared =
      false;  ///< times temperature^2, which keeps its gradient on the scale of cross-entropy
  double beta = 0.5;  ///< jsd
  double skew = 0.1;  ///< skewed_*
};

enum class CrossEntropyKind {
  plain,
  probability_weighted,  ///< -log p * stop_gradient(p), "dynamic fine-tuning" (Wu et al. 2025)
};

/// The loss of one row: ce * cross-entropy + divergence->weight * divergence.
struct LossTerms {
  double ce = 1;  ///< weight of cross-entropy; 0: no targets needed
  CrossEntropyKind ce_kind = CrossEntropyKind::plain;
  double label_smoothing =
      0;  ///< s: (1 - s) * -log p(target) + s * mean over the valid vocabulary of -log p
  double temperature = 1;  ///< logits are divided by it for cross-entropy, entropy and top1
  std::optional<Divergence> divergence;
};

/// A teacher row for each student row: hidden_TD @ head (its own width, the same valid vocabulary),
/// or complete logits in hidden_TD with a head that has no weight. Never differentiated.
struct Teacher {
  at::Tensor hidden_TD;
  Head head;
};

struct RowInputs {
  at::Tensor targets_T;  ///< int64, already shifted: row t predicts targets_T[t]; may be undefined
                         ///< without ce
  std::optional<Teacher> teacher;  ///< needed by a divergence
};

/// What else to return; each costs a little.
struct Want {
  bool per_row = false;
  bool entropy = false;
  bool top1 = false;
};

struct LossHeadResult {
  at::Tensor loss;  ///< sum_t row_weight[t] * loss(t): scalar, float32 (float64 for float64);
                    ///< differentiable
  struct Parts {
    double cross_entropy = 0;  ///< sum_t row_weight[t] * cross-entropy(t), before LossTerms::ce
    double divergence =
        0;  ///< sum_t row_weight[t] * divergence(t), before weight and temperature^2
    std::int64_t rows = 0;  ///< rows with a weight other than 0
  } parts;
  // When wanted, else undefined; 0 in rows of weight 0.
  at::Tensor per_row_T;  ///< loss(t) without the row weight
  at::Tensor entropy_T;  ///< of the student's distribution at LossTerms::temperature, in nats
  at::Tensor top1_T;     ///< int64: 1 where the likeliest id is the target
};

/// The loss of rows `hidden_TD` under `head`. `row_weight_T` float32 or float64 [tokens], a
/// constant: the caller divides by the number of trained tokens of the whole batch, so that
/// micro-batches and ranks add up. Rows of weight 0 are skipped: neither computed nor looked at
/// (their targets may be anything). Differentiable in hidden_TD, head.weight_VD and head.bias_V
/// where these require gradients: the automatic kernels make the gradient inside the chunk, when
/// the loss is made. Gradients of weight and bias are summed in float32. `chunk_rows` changes
/// memory and time, not the result beyond rounding; 0 = chosen by vocabulary. Throws Error(data)
/// when a weighted row has a target outside the valid vocabulary, Error(config) for terms out of
/// range, a missing teacher, or a teacher with another vocabulary.
LossHeadResult loss_head(const at::Tensor& hidden_TD, const Head& head, const LossTerms& terms,
                         const RowInputs& inputs, const at::Tensor& row_weight_T,
                         const Want& want = {}, std::int64_t chunk_rows = 0);

/// log p(ids_T[t]) and the entropy of each row's distribution, float32 (float64 for float64).
struct LogProbs {
  at::Tensor log_probs_T;
  at::Tensor entropy_T;
};

/// For policy objectives, `loglikelihood` and log-probs of old policies: log-probability of ids_T
/// under softmax(z / temperature), and its entropy. Both are differentiable in hidden and head; the
/// backward pass makes the chunk's logits again instead of keeping them. Throws Error(data) for an
/// id outside the valid vocabulary.
LogProbs log_probs(const at::Tensor& hidden_TD, const Head& head, const at::Tensor& ids_T,
                   double temperature = 1, std::int64_t chunk_rows = 0);

/// The logits themselves [tokens, vocabulary], float32 (float64 for float64), softcap applied,
/// padding rows of the head at minus infinity: for sampling a few rows. Records no gradient.
at::Tensor logits(const at::Tensor& hidden_TD, const Head& head);

}  // namespace finstill::ops
