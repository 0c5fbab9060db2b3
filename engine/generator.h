#pragma once

// Generator: anything that answers prompts, here or elsewhere. Evaluation, teacher sampling,
// rollouts, the chat and the server all work through this file; local.h makes one from a model
// folder or from weights in memory.
//
// Use: submit requests, then call step() until idle(); or generate_all() for a whole list. What a
// request draws depends on the request alone: never on the others in the batch, on the order of
// arrival or on threads (local.h names the exceptions in the last bits of its logits).

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/sampling.h"
#include "text/message.h"

namespace finstill::engine {

using RequestId = std::uint64_t;

/// Why a request ended: an end token or a stop string; its token budget or the model's context;
/// cancel().
enum class FinishReason { stop, length, cancelled };

/// "stop", "length" or "cancelled".
std::string_view name(FinishReason reason);

struct Request {
  /// The prompt: exactly one of the two is given. Ids are taken as they are (special tokens
  /// included); messages are rendered with the generator's own chat template, opening the
  /// assistant's turn.
  std::vector<std::int32_t> ids;
  std::vector<text::Message> messages;

  std::int64_t max_new_tokens = 256;
  Sampling sampling;
  std::vector<std::string>
      stop;  ///< the answer ends before the first of these; they are matched on text, across tokens
  bool ignore_eos = false;    ///< an end token is a token like others
  bool keep_special = false;  ///< special tokens appear in the text
  /// Unset: no log-probs. n: the chosen token's, and those of the n likeliest tokens.
  std::optional<int> log_probs;
};

/// Natural logarithms under the model itself: before temperature and the other processors.
struct TokenLogProbs {
  double chosen = 0;
  std::vector<std::pair<std::int32_t, double>> top;  ///< likeliest first; equal ones by id
};

/// One thing that happened to a request in a step: at most one new token, and the text that became
/// certain with it.
struct Event {
  RequestId request = 0;
  std::optional<std::int32_t> token;
  /// Whole characters only; held back while it may be the beginning of a stop string. The pieces of
  /// a request joined are its text.
  std::string text;
  std::optional<TokenLogProbs> log_probs;
  std::optional<FinishReason> finished;  ///< set on the request's last event
  std::int64_t prompt_tokens = 0;        ///< set on the request's last event
};

struct Result {
  /// The new tokens, an end token that stopped the answer included.
  std::vector<std::int32_t> ids;
  /// Their text: without the end token (unless keep_special), cut before a stop string.
  std::string text;
  FinishReason finish_reason = FinishReason::length;
  std::vector<TokenLogProbs> log_probs;  ///< one for each of `ids` when asked for
  std::int64_t prompt_tokens = 0;
};

/// Adds what an event says to the result of its request.
void add_event(Result& result, const Event& event);

class Generator {
 public:
  virtual ~Generator() = default;

  /// Queues a request. Throws Error(data) when the prompt is empty, holds an id outside the
  /// vocabulary or leaves no room in the context, Error(config) when the sampling values are out of
  /// range.
  virtual RequestId submit(Request request) = 0;

  /// Ends a request early: its last event (finished = cancelled) comes with the next step. Unknown
  /// ids are ignored.
  virtual void cancel(RequestId request) = 0;

  /// Advances every active request by at most one token; admits waiting ones where there is room.
  /// Events come in the order of submission.
  virtual std::vector<Event> step() = 0;

  /// No request waits or runs.
  virtual bool idle() const = 0;

  /// Log-probs of given texts: for each sequence one value a token, value i = log p(ids[i] |
  /// ids[0..i)), the first 0 (nothing precedes it). Throws Error(data) as submit does, and
  /// Error(unavailable) where a remote model gives none.
  virtual std::vector<std::vector<double>> prompt_log_probs(
      std::span<const std::vector<std::int32_t>> sequences) = 0;

  /// The ids that submit() makes of messages.
  virtual std::vector<std::int32_t> encode(std::span<const text::Message> messages) const = 0;

  /// Prompt and answer together fit into this many tokens.
  virtual std::int64_t context_length() const = 0;
  /// Whether what encode() gives ends in an open <think>: answers begin with reasoning then.
  virtual bool opens_reasoning() const { return false; }
};

/// Told after every step: requests finished so far and new tokens so far. It may throw to stop
/// early (base::check_stop()); the generator is of no use then.
using GenerateProgress = std::function<void(std::int64_t finished, std::int64_t new_tokens)>;

/// Told of every request as it ends: its place in the list, and its result.
using ResultVisitor = std::function<void(std::size_t at, const Result& result)>;

/// Runs all requests to their end; results in their order. `generator` must be idle before, and is
/// after.
std::vector<Result> generate_all(Generator& generator, std::vector<Request> requests,
                                 const GenerateProgress& progress = {},
                                 const ResultVisitor& ended = {});

}  // namespace finstill::engine
