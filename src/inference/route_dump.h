// The routes of every task of a model at once: what pictures and statistics of routes are made of.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "data/task_catalog.h"
#include "inference/layer_place.h"
#include "model/seq2seq_model.h"

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

// `tasks` and `families`: of the model's rows, in their order. A model with a table of routes has
// no logits: there `likely` is what is used. Error kUsage for a dense model.
RouteDump dump_routes(Seq2SeqModel& model, const std::vector<std::string>& tasks,
                      const std::vector<std::string>& families, double temperature);

// The same of all that a checkpoint's catalog names.
RouteDump dump_routes(Seq2SeqModel& model, const TaskCatalog& tasks, double temperature);

// {"temperature", "experts", "places": ["encoder 4"...], "tasks": [{"task", "family", "likely":
// [[w...]...], "used": [[w...]...]}]}, weights rounded to 4 digits.
Json to_json(const RouteDump& dump);
// Error kBadData, beginning with `where`, for anything else.
RouteDump route_dump_from_json(const Json& json, const std::string& where);

}  // namespace trivium
