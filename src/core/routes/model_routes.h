// The routes of all tasks of a model, resolved when its checkpoint was saved (routes.json): what
// answers with the checkpoint needs neither the router nor the task vectors.
#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/config/model_config.h"
#include "core/routes/task_route.h"

namespace trivium {

struct ModelRoutes {
  double temperature = 1;         // at which `used` was resolved
  std::vector<TaskRoute> likely;  // [num_tasks]: softmax of the router's logits at temperature 1
  std::vector<TaskRoute> used;    // [num_tasks]: what the tasks take outside training

  bool operator==(const ModelRoutes&) const = default;
};

// {"temperature", "tasks": [{"likely": {"encoder": [[w...]...], "decoder": [...]}, "used": {…}}]},
// in the order of the model's task vectors, with every digit of the weights.
Json to_json(const ModelRoutes& routes);

// Error kBadModel, beginning with `where`, for anything else than routes of a model of `config`.
ModelRoutes model_routes_from_json(const Json& json, const ModelConfig& config,
                                   const std::string& where);

}  // namespace trivium
