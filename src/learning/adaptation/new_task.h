// A task that a trained checkpoint gets afterwards: a vector among the known tasks' vectors, from
// which its router makes a route. Nothing else of the model changes (docs/spec/task_level.md,
// section 11).
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

#include "learning/model/batch.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// Known tasks with shares that sum to 1, the largest first.
using TaskMix = std::vector<std::pair<std::string, double>>;

// The `count` tasks nearest to the texts by the checkpoint's task finder; a share is the mean of
// the probabilities over the texts, scaled to sum to 1. Error kMissingInput where the checkpoint
// knows no tasks. At least one text.
TaskMix nearest_tasks(const Checkpoint& checkpoint, const std::vector<std::string>& texts,
                      size_t count = 3);

// The convex combination of the known tasks' vectors: [task_vector_dim]. Error kUsage where the
// model has no router, which alone reads vectors.
torch::Tensor mixed_vector(const Checkpoint& routed, const TaskMix& shares);

struct VectorTuning {
  torch::Tensor vector;  // [task_vector_dim]
  // Of the examples, a mean over their target tokens, along the routes of the vector before and
  // after.
  double loss_before = 0, loss_after = 0;
};

// Moves the vector alone by the gradient of the examples' loss, with `batch_size` examples a step
// at settings.task_vector_learning_rate; keeps it as it was where that did not lower the loss.
VectorTuning tune_vector(const Checkpoint& routed, const torch::Tensor& start,
                         const std::vector<EncodedExample>& examples, int64_t batch_size,
                         const OptimiserSettings& settings);

// A copy of `routed` that knows one task more, as its last row. Its task finder stays as it is: the
// new task is taken by name. Error kExists where the name is known already.
Checkpoint with_task(const Checkpoint& routed, const TaskEntry& entry, const torch::Tensor& vector);

// A task that nobody wrote a template for (plain_template), as the catalog knows it.
TaskEntry plain_entry(const Task& task, const std::string& description);

}  // namespace trivium::learning
