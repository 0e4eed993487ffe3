#include "cli/repl/expert_removal.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace trivium::cli {
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

TaskRoute route_without(const LoadedModel& model, int64_t row, TaskRoute route,
                        const Pin& removed) {
  std::vector<float>& weights = weights_at(route, removed.place);
  const std::string layer = name_of(removed.place);
  const std::string expert = "expert " + std::to_string(removed.expert + 1);
  if (weights.at(removed.expert) <= 0) {
    throw Error(ExitCode::kUsage, layer + " takes expert " +
                                      std::to_string(TaskRoute::main_expert(weights) + 1) +
                                      " here: without " + expert + " nothing changes");
  }
  const RoutingConfig& routing = model.config().routing;
  const bool takes_one = routing.selection != SelectionKind::kSoftmax;
  if (routing.route_source != RouteSource::kRouter || !takes_one) {
    share_out(weights, removed.expert);
    return route;
  }
  std::vector<float> likely =
      row < 0 ? weights : weights_at(model.likely_route(row), removed.place);
  likely.at(removed.expert) = 0;
  const auto next = std::max_element(likely.begin(), likely.end());
  if (*next <= 0) {
    throw Error(ExitCode::kUsage, layer + " has no second expert to take in the place of " +
                                      expert + "; /pin makes it take one of your choice");
  }
  std::fill(weights.begin(), weights.end(), 0.0f);
  weights[static_cast<size_t>(next - likely.begin())] = 1;
  return route;
}

}  // namespace trivium::cli
