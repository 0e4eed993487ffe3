// One task's route as plain numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/json.h"
#include "core/config/model_config.h"

namespace trivium {

// Weights over the experts of each layer; an ordinary layer has one weight, 1. Each layer's weights
// add up to 1.
struct TaskRoute {
  std::vector<std::vector<float>> encoder;  // [encoder_layers][num_experts or 1]
  std::vector<std::vector<float>> decoder;  // [decoder_layers][num_experts or 1]
  int64_t gates = 0;  // the row of the token gates; 0 where the model has none

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
