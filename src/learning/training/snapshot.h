// Everything an interrupted training needs to go on as if it had not been interrupted.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/base/json.h"
#include "learning/storage/checkpoint.h"
#include "learning/storage/classifier_checkpoint.h"

namespace trivium::learning {

// A training's state beside the model's weights.
struct TrainingSnapshot {
  int64_t step = 0;
  std::optional<double> best_score;
  double loss_sum =
      0;  // over the loss_steps steps that the training has added (TrainingLoop::add_loss)
  int64_t loss_steps = 0;
  // Steps whose gradients were not finite, in all and in a row up to now.
  int64_t skipped = 0, skipped_in_row = 0;
  bool evaluation_due = false;  // the step's evaluation was stopped, and is to be made
  bool finished = false;        // nothing is left to do: there are no tensors
  Json record;                  // what the training was begun with (run_record.h); null: not kept
  Json stream_state;            // of the examples' streams
  NamedTensors optimiser;
};

// Saves the checkpoint with the state in its training.json and training.safetensors: all are
// replaced together, so that a crash leaves the old ones or the new ones.
void save_training_snapshot(const Checkpoint& checkpoint, const TrainingSnapshot& snapshot,
                            const std::filesystem::path& folder);
void save_training_snapshot(const ClassifierCheckpoint& checkpoint,
                            const TrainingSnapshot& snapshot, const std::filesystem::path& folder);

// Keeps the snapshot in `last` as saved/step-N beside it, of the same bytes on the disk, with the
// `count` latest in all; of a step that is there already, the new one. Error kIo.
void keep_snapshot(const std::filesystem::path& last, int64_t step, int64_t count);

// Removes what a process that was killed left half-written in `folder`: files and folders
// "NAME.tmp" and "NAME.tmp-" with a number behind, of all names or of `name`. Whoever calls it is
// the only one that writes there (FileLock).
void remove_half_written(const std::filesystem::path& folder, const std::string& name = "");

// The state in a checkpoint's folder. Error kMissingInput when there is none, kBadModel when it is
// damaged.
TrainingSnapshot load_training_snapshot(const std::filesystem::path& folder);

// Gives the model the weights of the snapshot in `folder`. Error kConfig where it is of another
// model.
void restore_parameters(torch::nn::Module& model, const std::filesystem::path& folder);
}  // namespace trivium::learning
