// The routes of every task of a model at once: what pictures and statistics of routes are made of.
#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/data/task_catalog.h"
#include "core/routes/layer_place.h"
#include "core/routes/model_routes.h"

namespace trivium {

struct RouteRow {
  std::string task;
  std::string family;
  // Weights over (place, expert), place-major: [places * num_experts].
  std::vector<float> likely;  // softmax of the router's logits at temperature 1
  std::vector<float> used;    // what the task takes outside training, at the dump's temperature

  bool operator==(const RouteRow&) const = default;
};

struct RouteDump {
  std::vector<LayerPlace> places;  // the layers that are pools, the encoder's first
  size_t num_experts = 0;          // of each
  double temperature = 1;
  std::vector<RouteRow> tasks;  // by family, then by name

  size_t columns() const { return places.size() * num_experts; }
  size_t column(size_t place, size_t expert) const { return place * num_experts + expert; }
  // "encoder 4, expert 2", counted from 1.
  std::string column_name(size_t column) const;
  bool operator==(const RouteDump&) const = default;
};

// The routes of a model of `config`; `tasks` and `families`: of its tasks, in the order of
// `routes`. Error kUsage for a dense model.
RouteDump dump_routes(const ModelRoutes& routes, const ModelConfig& config,
                      const std::vector<std::string>& tasks,
                      const std::vector<std::string>& families);

// The same of all that a checkpoint's catalog names.
RouteDump dump_routes(const ModelRoutes& routes, const ModelConfig& config,
                      const TaskCatalog& tasks);

// {"temperature", "experts", "places": ["encoder 4"...], "tasks": [{"task", "family", "likely":
// [[w...]...], "used": [[w...]...]}]}, weights rounded to 4 digits.
Json to_json(const RouteDump& dump);
// Error kBadData, beginning with `where`, for anything else.
RouteDump route_dump_from_json(const Json& json, const std::string& where);

}  // namespace trivium
