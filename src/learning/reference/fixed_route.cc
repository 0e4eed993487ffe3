#include "learning/reference/fixed_route.h"

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/checkpoint/squeeze.h"
#include "learning/model/model_routes.h"
#include "learning/storage/expert_copies.h"

namespace trivium::learning {

Checkpoint squeeze(const Checkpoint& routed, const TaskRoute& route) {
  check(routed.model->is_routed(), "a dense model has nothing to squeeze");
  const NamedTensors all = model_tensors(routed.model);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : all) names.push_back(name);
  NamedTensors dense;
  for (const auto& [name, original] : squeezed_names(names, route)) {
    dense[name] = all.at(original).clone();
  }
  ModelConfig config = routed.config();
  config.routing = RoutingConfig{};
  Checkpoint squeezed;
  squeezed.model = model_from_tensors(config, std::move(dense), "the squeezed model");
  squeezed.tokenizer = routed.tokenizer;
  return squeezed;
}

Checkpoint with_fixed_route(const Checkpoint& routed, const TaskRoute& route) {
  const RoutingWeights weights = routing_weights({&route}, routed.config(), torch::kCPU);
  return with_constant_routes(routed, torch::cat({weights.encoder, weights.decoder}), {});
}

void know_only(Checkpoint& bound, const TaskEntry& task) {
  bound.tasks = {};
  bound.tasks.add(task);
  bound.finder = TaskFinder::train({{task.task.name, {}}});
}

}  // namespace trivium::learning
