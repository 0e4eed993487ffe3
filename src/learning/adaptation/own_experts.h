// Experts that a task has for itself, learned from its examples: what they are more than the
// experts that they begin as, while all other weights stay as they are. Matrices differ by a
// product of low rank (Hu et al. 2021, LoRA), biases and LayerNorms freely.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "learning/model/batch.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// Lets `model`, which has no pools, learn differences of its layers and nothing else: every linear
// layer gets a product of this rank, drawn by `seed`.
void add_differences(Seq2SeqModel& model, int64_t rank, uint64_t seed);

// What a model has learned since it was `before`, of the tensors that could move, by the names of
// core/checkpoint/added_task.h.
NamedTensors differences_of(const Seq2SeqModel& tuned, const Seq2SeqModel& before);

// A model's weights with the differences added to them.
NamedTensors merged_tensors(const Seq2SeqModel& model);

struct OwnExpertSettings {
  int64_t rank = 8;
  int64_t batch_size = 8;  // examples a step
  // Of the optimiser's settings only what concerns encoder and decoder is of use.
  OptimiserSettings optimiser;
};

struct OwnExpertTuning {
  // By the names of core/checkpoint/added_task.h.
  NamedTensors differences;
  // Mean over the examples' target tokens, before and after.
  double loss_before = 0, loss_after = 0;
};

// Learns an expert of the task's own in every layer. `dense`: the model along the route that they
// begin from (squeeze). Error kDiverged where the loss is no longer finite.
OwnExpertTuning tune_own_experts(const Checkpoint& dense,
                                 const std::vector<EncodedExample>& examples,
                                 const OwnExpertSettings& settings);

}  // namespace trivium::learning
