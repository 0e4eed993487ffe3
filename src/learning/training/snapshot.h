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
  Json stream_state;  // of the examples' streams
  // uint8, LibTorch's generators; noise: undefined where the training draws none.
  torch::Tensor noise_state, dropout_state;
  NamedTensors optimiser;
};

// Saves the checkpoint with the state in its training.json and training.safetensors: all are
// replaced together, so that a crash leaves the old ones or the new ones.
void save_training_snapshot(const Checkpoint& checkpoint, const TrainingSnapshot& snapshot,
                            const std::filesystem::path& folder);
void save_training_snapshot(const ClassifierCheckpoint& checkpoint,
                            const TrainingSnapshot& snapshot, const std::filesystem::path& folder);

// The state in a checkpoint's folder. Error kMissingInput when there is none, kBadModel when it is
// damaged.
TrainingSnapshot load_training_snapshot(const std::filesystem::path& folder);

// Gives the model the weights of the snapshot in `folder`. Error kConfig where it is of another
// model.
void restore_parameters(torch::nn::Module& model, const std::filesystem::path& folder);
// Error kBadModel where the state is not a generator's.
void restore_generator(torch::Generator generator, const torch::Tensor& state);
// What dropout draws from on a device.
torch::Generator dropout_generator(torch::Device device);

}  // namespace trivium::learning
