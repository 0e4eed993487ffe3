// A task with fixed labels learned from few examples: a linear head over sentence vectors of the
// encoder (core/routes/label_head.h), and differences of the encoder's layers with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "core/routes/label_head.h"
#include "learning/adaptation/few_shot_sample.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// Prompts, whose parts kFieldSeparator parts, and the number of each one's label.
struct LabelledTexts {
  std::vector<std::string> prompts;
  std::vector<int64_t> labels;
};
// Of a task's records, in the words of the entry's template. Error kBadData for one that it cannot
// be filled with.
LabelledTexts labelled_texts(const TaskEntry& entry, const std::vector<const Record*>& records);

struct HeadSettings {
  int64_t steps = 100;  // 0: the encoder stays as it is
  int64_t eval_every = 25;
  int64_t batch_size = 8;
  int64_t rank = 8;             // of the differences (own_experts.h)
  double learning_rate = 2e-3;  // of the differences
  double head_learning_rate = 1e-2;
  int64_t max_length = 128;  // ids of a part
  uint64_t seed = 42;
  const std::atomic<bool>* stop = nullptr;  // ends it between two steps: Error kInterrupted
};

struct TunedHead {
  LabelHead head;
  // Of the encoder's layers, by the names of core/checkpoint/added_task.h; none at step 0.
  NamedTensors differences;
  Checkpoint encoder;       // with the differences
  int64_t step = 0;         // after which it was best on dev; 0: the encoder as it was
  double dev_score = 0;     // the share of dev's labels that are found
  double frozen_score = 0;  // the same at step 0
};

// Begins with a logistic regression over the vectors that the encoder gives as it is, which
// minimises 10 times the summed cross-entropy and half the squared weights; then head and
// differences move together. The best on dev is kept (the share of labels, then the likelihood; the
// earliest of equals), or the last step where dev is empty. `dense` is a model without pools.
TunedHead tune_head(const Checkpoint& dense, const std::vector<std::string>& labels, int64_t parts,
                    const LabelledTexts& train, const LabelledTexts& dev,
                    const HeadSettings& settings);

// The number of the likeliest label of each prompt.
std::vector<int64_t> predict_labels(const TunedHead& tuned, const std::vector<std::string>& prompts,
                                    int64_t max_length);

// How many parts of a task's prompts a head reads: one field, or the first and all others.
int64_t head_parts(const Task& task);

}  // namespace trivium::learning
