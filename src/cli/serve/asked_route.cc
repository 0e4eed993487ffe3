#include "cli/serve/asked_route.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/routes/expert_removal.h"
#include "core/routes/layer_place.h"

namespace trivium::cli {
namespace {

using AskedExpert = std::optional<size_t>;  // from 0

AskedExpert asked_expert(const Json& asked, size_t experts, const std::string& name) {
  if (asked.is_null() || asked == 0) return {};
  const auto expert = json_as<int64_t>(asked);
  if (!expert || *expert < 1 || *expert > static_cast<int64_t>(experts)) {
    throw bad_request(name + " takes an expert from 1 to " + std::to_string(experts) +
                      ", or null for the task's own");
  }
  return static_cast<size_t>(*expert - 1);
}

void read_changes(RequestKeys& reader, const TaskRoute& route, const std::string& name,
                  RouteChange::Kind kind, std::vector<RouteChange>& changes) {
  const Json* lists[] = {reader.find("encoder"), reader.find("decoder")};
  for (const LayerPlace& place : places_of(route)) {
    const Json* list = lists[place.in_decoder ? 1 : 0];
    if (list == nullptr) continue;
    const size_t layers = (place.in_decoder ? route.decoder : route.encoder).size();
    if (!list->is_array() || list->size() != layers) {
      throw bad_request(name + ": \"" + (place.in_decoder ? "decoder" : "encoder") +
                        "\" must have an entry for each of its " + std::to_string(layers) +
                        " layers");
    }
    const AskedExpert expert = asked_expert(list->at(place.layer), weights_at(route, place).size(),
                                            name + ": " + name_of(place));
    if (expert) changes.push_back({kind, place, *expert});
  }
}

}  // namespace

std::vector<RouteChange> route_changes(const TaskRoute& route, const Json& asked) {
  std::vector<RouteChange> changes;
  RequestKeys reader(asked, "\"route\"");
  read_changes(reader, route, "\"route\"", RouteChange::kTake, changes);
  if (const Json* disabled = reader.find("disabled")) {
    const std::string name = "\"route\": \"disabled\"";
    RequestKeys inner(*disabled, name);
    read_changes(inner, route, name, RouteChange::kDisable, changes);
    inner.refuse_others();
  }
  reader.refuse("weights", {});
  reader.refuse_others();
  return changes;
}

TaskRoute changed_route(const RoutingConfig& routing, const TaskRoute& likely, TaskRoute route,
                        const std::vector<RouteChange>& changes) {
  for (const RouteChange& change : changes) {
    if (change.kind == RouteChange::kDisable) {
      route = route_without(routing, likely, std::move(route), change.place, change.expert);
      continue;
    }
    std::vector<float>& weights = weights_at(route, change.place);
    std::fill(weights.begin(), weights.end(), 0.0f);
    weights[change.expert] = 1;
  }
  return route;
}

}  // namespace trivium::cli
