// What a multi-task training starts from: pools, a router and task vectors around a dense model.
#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "config/train_settings.h"
#include "model/batch.h"

namespace trivium {

// A dense `start` gets the experts, router and task vectors that the settings ask for; a routed one
// goes on with its own. What the settings freeze no longer asks for a gradient, so that it counts
// in no norm and moves by no momentum (parity_notes A6, A7). Error kConfig when `start` does not
// fit them.
Checkpoint routed_start(const Checkpoint& start, const TrainSettings& settings,
                        const std::vector<EncodedExample>& examples, int64_t num_tasks);

// The mean encoder state of up to `per_task` inputs of each task, over real tokens and then inputs,
// each dimension scaled to mean 0 and deviation 1 over the tasks: [num_tasks, d_model]. (The
// reference means the decoder's states, pads included: parity_notes A18.)
torch::Tensor text_task_vectors(Seq2SeqModel& model, const std::vector<EncodedExample>& examples,
                                int64_t num_tasks, int64_t per_task);

}  // namespace trivium
