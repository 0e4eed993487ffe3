// Which examples make the next batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"

namespace trivium {

// What a sampler needs to know of an example.
struct SampleItem {
  int64_t task = 0;
  int64_t source_length = 0;  // ids
};

enum class Batching {
  kHeterogeneous,  // tasks mixed in a batch
  kHomogeneous,    // one task a batch
};

struct SamplerOptions {
  Batching batching = Batching::kHeterogeneous;
  int64_t batch_tokens = 4096;  // padded source ids in a batch: rows * longest
  // An epoch holds of each task a number of examples proportional to count^share_alpha, scaled so
  // that the largest task is seen once; 1: every example once.
  double share_alpha = 1.0;
};

// Epochs of shuffled examples, cut in batches of similar length (task_level_moe.md, section 7): the
// shuffled order is cut in windows, each is sorted by length and cut in batches, and the batches
// are shuffled; so padding is small and the mix of tasks still that of the shuffle. Deterministic.
class BatchSampler {
 public:
  BatchSampler(std::vector<SampleItem> items, const SamplerOptions& options, uint64_t seed);

  // Indices into the items.
  const std::vector<size_t>& next_batch();
  int64_t epoch() const { return epoch_; }

  // The position as text, and back: a restored sampler goes on with the same batches.
  std::string state() const;
  void set_state(const std::string& state);

 private:
  void start_epoch();
  std::vector<size_t> draw_epoch();
  void cut_batches(std::vector<size_t> window);

  std::vector<SampleItem> items_;
  SamplerOptions options_;
  Rng rng_;
  std::string
      epoch_rng_;  // the generator's state at the start of the epoch, from which all follows
  int64_t epoch_ = -1;
  std::vector<std::vector<size_t>> batches_;
  size_t position_ = 0;
};

}  // namespace trivium
