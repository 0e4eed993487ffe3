#include "core/routes/task_route.h"

#include <algorithm>
#include <cmath>

namespace trivium {
namespace {

Json rounded(const std::vector<std::vector<float>>& stack) {
  Json layers = Json::array();
  for (const std::vector<float>& layer : stack) {
    Json weights = Json::array();
    for (const float weight : layer) weights.push_back(std::round(weight * 1e4) / 1e4);
    layers.push_back(std::move(weights));
  }
  return layers;
}

}  // namespace

int64_t TaskRoute::main_expert(const std::vector<float>& weights) {
  return std::max_element(weights.begin(), weights.end()) - weights.begin();
}

TaskRoute dense_route(const ModelConfig& config, int64_t gates) {
  return {std::vector<std::vector<float>>(static_cast<size_t>(config.encoder_layers), {1.0f}),
          std::vector<std::vector<float>>(static_cast<size_t>(config.decoder_layers), {1.0f}),
          gates};
}

TaskRoute main_experts_only(const TaskRoute& route) {
  TaskRoute result = route;
  for (auto* stack : {&result.encoder, &result.decoder}) {
    for (std::vector<float>& weights : *stack) {
      const int64_t expert = TaskRoute::main_expert(weights);
      std::fill(weights.begin(), weights.end(), 0.0f);
      weights[static_cast<size_t>(expert)] = 1;
    }
  }
  return result;
}

Json to_json(const TaskRoute& route) {
  return {{"encoder", rounded(route.encoder)}, {"decoder", rounded(route.decoder)}};
}

}  // namespace trivium
