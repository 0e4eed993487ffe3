// Everything an interrupted training needs to go on as if it had not been interrupted.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "checkpoint/checkpoint.h"

namespace trivium {

// A training's state beside the model's weights.
struct TrainingSnapshot {
  int64_t step = 0;
  std::optional<double> best_score;
  double loss_sum = 0;  // over the loss_steps steps since the curves' last point
  int64_t loss_steps = 0;
  std::string stream_state;
  torch::Tensor noise_state, dropout_state;  // uint8, LibTorch's generators
  NamedTensors optimiser;
};

// Saves the checkpoint with the state in its training.safetensors: both are replaced together, so
// that a crash leaves the old ones or the new ones.
void save_training_snapshot(const Checkpoint& checkpoint, const TrainingSnapshot& snapshot,
                            const std::filesystem::path& folder);

// The state in a checkpoint's folder. Error kMissingInput when there is none, kBadModel when it is
// damaged.
TrainingSnapshot load_training_snapshot(const std::filesystem::path& folder);

}  // namespace trivium
