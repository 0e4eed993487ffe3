// What a training takes, before it is begun: in memory by its shape, in time by a few steps.
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "core/base/json.h"
#include "core/config/model_config.h"
#include "learning/settings/train_settings.h"
#include "learning/training/training_loop.h"

namespace trivium::learning {

// The help of --dry-run.
inline constexpr const char* kDryRunHelp =
    "read all that the training reads, make a few steps that write nothing, and print as JSON what "
    "it takes";

// What a dry run is told of the data.
struct DryRunData {
  Json examples;  // counts by name
  int64_t batches_in_epoch = 0;
  int64_t batch_tokens = 0;  // padded, source and target together
  double source_share = 1;   // of the tokens
};

// An estimate, in bytes, of what one batch's forward pass keeps for its way back. A layer keeps,
// for each token, 10 vectors of d_model numbers (its input, queries, keys, values, attended,
// projected and normalised states) and 2 of the feed-forward part's width; a decoder layer 17
// and 2. Softmax selection computes all experts of a pool. Probabilities of attention, which only a
// training with train.attention_dropout keeps, and the loss's, which are never kept, are left out.
double activation_bytes(const ModelConfig& config, const DryRunData& data, Precision precision);

// Makes a few steps, which move the model in memory and write nothing, and says what there is:
// examples, steps, batches an epoch, parameters, bytes by what holds them, and the time.
Json dry_run(TrainingLoop& loop, const torch::nn::Module& model, const ModelConfig& config,
             const OptimiserSettings& settings, const DryRunData& data);

}  // namespace trivium::learning
