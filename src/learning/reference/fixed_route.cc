#include "learning/reference/fixed_route.h"

#include <map>
#include <string>

#include "core/base/error.h"
#include "learning/storage/expert_copies.h"

namespace trivium::learning {
namespace {

// Tensors that only choose routes.
bool is_of_routes(const std::string& name) {
  return name.starts_with("router.") || name.starts_with("task_vectors.") ||
         name.starts_with("route_table.");
}

// "encoder.layers.3" -> the layer's main expert.
std::map<std::string, int64_t> main_experts(const TaskRoute& route) {
  std::map<std::string, int64_t> chosen;
  const auto add = [&](const std::string& stack, const std::vector<std::vector<float>>& layers) {
    for (size_t l = 0; l < layers.size(); ++l) {
      chosen[stack + std::to_string(l)] = TaskRoute::main_expert(layers[l]);
    }
  };
  add("encoder.layers.", route.encoder);
  add("decoder.layers.", route.decoder);
  return chosen;
}

}  // namespace

Checkpoint squeeze(const Checkpoint& routed, const TaskRoute& route) {
  check(routed.model->is_routed(), "a dense model has nothing to squeeze");
  constexpr std::string_view kExperts = ".experts.";
  const std::map<std::string, int64_t> chosen = main_experts(route);
  NamedTensors dense;
  for (const auto& [name, tensor] : model_tensors(routed.model)) {
    if (is_of_routes(name)) continue;
    const size_t at = name.find(kExperts);
    if (at == std::string::npos) {
      dense[name] = tensor.clone();
      continue;
    }
    const size_t number = at + kExperts.size();
    const size_t rest = name.find('.', number);
    const std::string layer = name.substr(0, at);
    if (std::stoll(name.substr(number, rest - number)) == chosen.at(layer)) {
      dense[layer + name.substr(rest)] = tensor.clone();
    }
  }
  Checkpoint squeezed;
  squeezed.config = routed.config;
  squeezed.config.routing = RoutingConfig{};
  squeezed.model = model_from_tensors(squeezed.config, std::move(dense), "the squeezed model");
  squeezed.tokenizer = routed.tokenizer;
  return squeezed;
}

Checkpoint with_fixed_route(const Checkpoint& routed, const TaskRoute& route) {
  const RoutingWeights weights = routing_weights({&route}, routed.config, torch::kCPU);
  return with_constant_routes(routed, torch::cat({weights.encoder, weights.decoder}), {});
}

void know_only(Checkpoint& bound, const TaskEntry& task) {
  bound.tasks = {};
  bound.tasks.add(task);
  bound.finder = TaskFinder::train({{task.task.name, {}}});
}

}  // namespace trivium::learning
