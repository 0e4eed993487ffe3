// Routes of a small model: two layers a stack, three experts in each but the encoder's first.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "core/routes/model_routes.h"

namespace trivium {

inline ModelConfig small_routed_config() {
  ModelConfig config;
  config.encoder_layers = config.decoder_layers = 2;
  config.routing.num_experts = 3;
  config.routing.encoder_vanilla_layers = {0};
  return config;
}

// Of four tasks. What is used is sharper than what is likely. (Thirds are no decimal fractions:
// routes.json must keep all their digits, and a dump need not.)
inline ModelRoutes small_routes() {
  ModelRoutes routes;
  routes.temperature = 0.5;
  for (int task = 0; task < 4; ++task) {
    const auto rotated = [&](std::vector<float> weights, int by) {
      if (task == 3) std::swap(weights[0], weights[1]);
      std::rotate(weights.begin(), weights.begin() + (task + by) % 3, weights.end());
      return weights;
    };
    const std::vector<float> likely = {1.0f / 6, 1.0f / 3, 0.5f}, used = {0.0625f, 0.25f, 0.6875f};
    routes.likely.push_back({{{1}, rotated(likely, 0)}, {rotated(likely, 1), rotated(likely, 2)}});
    routes.used.push_back({{{1}, rotated(used, 0)}, {rotated(used, 1), rotated(used, 2)}});
  }
  return routes;
}

}  // namespace trivium
