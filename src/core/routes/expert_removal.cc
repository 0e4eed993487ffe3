#include "core/routes/expert_removal.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace trivium {
namespace {

void share_out(std::vector<float>& weights, size_t expert) {
  weights[expert] = 0;
  const float rest = std::accumulate(weights.begin(), weights.end(), 0.0f);
  for (float& weight : weights) {
    weight = rest > 0 ? weight / rest : 1.0f / static_cast<float>(weights.size() - 1);
  }
  weights[expert] = 0;
}

}  // namespace

TaskRoute route_without(const RoutingConfig& routing, const TaskRoute& likely, TaskRoute route,
                        const LayerPlace& place, size_t expert) {
  std::vector<float>& weights = weights_at(route, place);
  const std::string layer = name_of(place);
  const std::string name = "expert " + std::to_string(expert + 1);
  if (weights.at(expert) <= 0) {
    throw Error(ExitCode::kUsage, layer + " takes expert " +
                                      std::to_string(TaskRoute::main_expert(weights) + 1) +
                                      " here: without " + name + " nothing changes");
  }
  const bool takes_one =
      routing.route_source == RouteSource::kRouter && routing.selection != SelectionKind::kSoftmax;
  std::vector<float> others = takes_one ? weights_at(likely, place) : weights;
  others.at(expert) = 0;
  const auto next = std::max_element(others.begin(), others.end());
  if (weights.size() == 1 || (takes_one && *next <= 0)) {
    throw Error(ExitCode::kUsage, layer + " has no second expert to take in the place of " + name);
  }
  if (!takes_one) {
    share_out(weights, expert);
    return route;
  }
  std::fill(weights.begin(), weights.end(), 0.0f);
  weights[static_cast<size_t>(next - others.begin())] = 1;
  return route;
}

}  // namespace trivium
