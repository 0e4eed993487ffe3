// What search needs from a model: one step of decoding for a batch of rows. The LibTorch model and
// the fast engine both implement it, so greedy, beam, sampling and rank scoring exist once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/generation/logit_scan.h"

namespace trivium {

struct TaskRoute;

class StepDecoder {
 public:
  virtual ~StepDecoder() = default;

  virtual int64_t vocab_size() const = 0;

  // The number of rows now being decoded. At the start every source that does not wait is one row.
  virtual int64_t rows() const = 0;

  // Sources that have no place in the batch yet (continuous batching).
  virtual int64_t waiting() const { return 0; }

  // A source more, which waits; `route` must outlive the decoder. A bug where Engine::start_empty
  // did not make the decoder. Error kConfig when the source is longer than the model's positions.
  virtual void add_source(std::vector<int32_t> ids, const TaskRoute* route);

  // Takes waiting sources into places that became free, in their order, each as one row behind all
  // others, and returns how many. It may leave them waiting where it pays to take in several at
  // once, but never while there is no row at all.
  virtual int64_t admit() { return 0; }

  // Feeds one token to every row (tokens.size() == rows()) and returns the logits of the next
  // token, [rows, vocab_size] row-major, valid until the next call.
  virtual std::span<const float> step(std::span<const int32_t> tokens) = 0;

  // step() for those who need only each row's `count` best tokens and its log-sum-exp: one scan a
  // row, as LogitScan::read gives it, valid until the next call. `banned` has one sorted list a
  // row. An engine that overrides this need never write the logits down.
  virtual std::span<const LogitScan> step_scan(std::span<const int32_t> tokens, int count,
                                               std::span<const std::vector<int32_t>> banned);

  // Row i of the batch from now on continues old row parents[i]: beam reordering, expansion of a
  // source to several beams, and dropping finished rows are all this. `parents` is empty only where
  // sources wait.
  virtual void select_rows(std::span<const int32_t> parents) = 0;

 protected:
  std::vector<LogitScan> scans_;
};

// select_rows, which may copy every row's cache, unless `parents` leaves each row in its place.
inline void select_rows_if_changed(StepDecoder& decoder, std::span<const int32_t> parents) {
  bool changed = static_cast<int64_t>(parents.size()) != decoder.rows();
  for (size_t i = 0; i < parents.size() && !changed; ++i) {
    changed = parents[i] != static_cast<int32_t>(i);
  }
  if (changed) decoder.select_rows(parents);
}

}  // namespace trivium
