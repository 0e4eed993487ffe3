// One task's route as plain numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/base/json.h"
#include "core/config/model_config.h"
#include "core/routes/label_head.h"

namespace trivium {

// The experts that a pool has grown by for one task alone, at most one a layer. `read` gives a
// tensor of such a layer by the name that it has in a model without pools
// ("decoder.layers.1.fc1.weight"); several threads may call it at once.
struct OwnExperts {
  TensorReader read;
  std::vector<bool> encoder = {}, decoder = {};  // whether a layer has one
};

// Weights over the experts of each layer; an ordinary layer has one weight, 1. Each layer's weights
// add up to 1.
struct TaskRoute {
  // [encoder_layers][num_experts or 1], and the same of the decoder. Where the task has an expert
  // of its own, the layer has one weight more, the last.
  std::vector<std::vector<float>> encoder, decoder;
  int64_t gates = 0;  // the row of the token gates; 0 where the model has none
  // Whoever holds the route keeps these experts in the engine's memory; null where it has none.
  std::shared_ptr<const OwnExperts> own = nullptr;
  // What answers at the route's end in the decoder's place; null where the decoder does.
  std::shared_ptr<const LabelHead> head = nullptr;

  // The expert of the largest weight, the first of equals.
  static int64_t main_expert(const std::vector<float>& weights);
  bool operator==(const TaskRoute&) const = default;
};

// The route through a model without pools: one expert a layer. `gates` is the row of the token
// gates.
TaskRoute dense_route(const ModelConfig& config, int64_t gates = 0);

// Every layer's main expert alone, with weight 1: what a soft route costs no more than a dense
// model for.
TaskRoute main_experts_only(const TaskRoute& route);

// {"encoder": [[w...], ...], "decoder": [...]}, weights rounded to 4 digits.
Json to_json(const TaskRoute& route);

}  // namespace trivium
