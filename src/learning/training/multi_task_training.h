// A whole multi-task training, of one stage or two, from a checkpoint to run.output.
#pragma once

#include <torch/torch.h>

#include <atomic>

#include "core/base/json.h"
#include "learning/processes/processes.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/task_mixture.h"

namespace trivium::learning {

struct TrainingContext {
  torch::Device device = torch::kCPU;
  // Set by a signal handler: the training saves a snapshot and ends. Not owned.
  const std::atomic<bool>* stop = nullptr;
  bool resume = false;
  const Processes* processes = nullptr;  // those that train it together; null: one alone
};

// Trains `start` on the mixture as the settings say and returns false when it was stopped early.
// With a second stage (docs/spec/task_level.md, section 8) the first one is the run in
// run.output/first_stage; from the best checkpoint that it has by dev score come the router and
// the task vectors, which are frozen; experts and shared parts begin anew as those of `start`,
// which must be dense. Error kExists where the run's folder has a last/ and it is not resumed;
// kConfig where the settings do not fit `start`; kDiverged, and whatever reading and writing throw.
bool train_on_mixture(const Checkpoint& start, const TaskMixture& mixture,
                      const TrainSettings& settings, const TrainingContext& context);

// What train_on_mixture would take (dry_run.h), measured by a few steps of each stage; the second's
// beneath "second_stage". Writes nothing. Errors kConfig as there.
Json plan_training(const Checkpoint& start, const TaskMixture& mixture,
                   const TrainSettings& settings, const TrainingContext& context);

}  // namespace trivium::learning
