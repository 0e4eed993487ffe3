// Which examples form the next batch: tasks mixed, or one task a batch. Only lengths matter here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/base/rng.h"

namespace trivium::learning {

// An example as the sampler sees it. Lengths in tokens, special tokens included; a target of 0
// leaves the targets out of the budget.
struct SampleItem {
  int64_t task = 0;
  int64_t source = 0;
  int64_t target = 0;
};

enum class Batching {
  // All examples pooled, without replacement within an epoch. In windows of some batches they are
  // sorted by length, so that little is padding.
  kHeterogeneous,
  // One task a batch, every task once an epoch, in shuffled order: as many of its examples, drawn
  // without replacement, as the budget takes.
  kHomogeneous
};

struct SamplerOptions {
  Batching batching = Batching::kHeterogeneous;
  // A batch of n examples holds n * (longest source + longest target) <= batch_tokens, padding
  // included; an example longer than that has a batch of its own.
  int64_t batch_tokens = 4096;
  // Heterogeneous only: a task's part of an epoch is proportional to count^share_alpha (1: as in
  // the data; 0: all tasks alike), by leaving out or repeating examples.
  double share_alpha = 1.0;
  int64_t max_examples = 256;
  // Heterogeneous only: about how many batches a window has. Above batches_per_step the batches of
  // an epoch are shuffled; at batches_per_step the next steps take each window's batches together,
  // so that a step's examples are a random draw, of all lengths and tasks.
  int64_t window_batches = 64;
  int64_t batches_per_step = 1;
};

// Endless batches, planned epoch by epoch: a seed gives the same batches on every machine.
class BatchSampler {
 public:
  // Error kBadData when there are no items.
  BatchSampler(std::vector<SampleItem> items, const SamplerOptions& options, uint64_t seed);

  // Indices into `items`.
  std::vector<size_t> next_batch();
  // The epoch of the next batch, from 0, and how many batches it has in all.
  int64_t epoch() const { return epoch_; }
  size_t batches_in_epoch() const { return batches_.size(); }
  // Examples a batch, over that epoch.
  double mean_batch_size() const { return mean_batch_size_; }
  // Of that epoch's padded tokens, the share that is padding: in [0, 1).
  double padding_share() const;

  // Where the sampler stands, and back: a resumed run draws the batches that an unbroken
  // one draws. Error kBadModel when the state is malformed or of other data.
  Json state() const;
  void set_state(const Json& state);

 private:
  void plan_epoch();
  void plan_heterogeneous();
  void plan_homogeneous();
  std::vector<size_t> draw_epoch();
  size_t window_end(const std::vector<size_t>& order, size_t begin) const;
  size_t step_end(const std::vector<size_t>& order, size_t begin) const;
  void sort_by_length(std::vector<size_t>& order, size_t begin, size_t end) const;
  void split_batches(size_t first, size_t count);
  void cut_into_batches(const std::vector<size_t>& order, size_t begin, size_t end);
  // How many of order[begin, end) the limits let into one batch; at least one.
  size_t batch_size(const std::vector<size_t>& order, size_t begin, size_t end) const;

  std::vector<SampleItem> items_;
  SamplerOptions options_;
  std::vector<std::vector<size_t>> by_task_;  // of the tasks that have items, by index
  Rng rng_;
  std::string epoch_state_;  // rng_ before the present epoch was planned
  std::vector<std::vector<size_t>> batches_;
  double mean_batch_size_ = 0;  // asked for at every batch
  size_t position_ = 0;
  int64_t epoch_ = 0;
};

}  // namespace trivium::learning
