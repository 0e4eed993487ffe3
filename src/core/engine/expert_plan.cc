#include "core/engine/expert_plan.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/routes/task_route.h"

namespace trivium {

std::vector<ActiveExpert> active_experts(const std::vector<float>& weights, float threshold) {
  const int64_t main = TaskRoute::main_expert(weights);
  std::vector<ActiveExpert> active;
  float total = 0;
  bool all = true;
  for (size_t e = 0; e < weights.size(); ++e) {
    const auto expert = static_cast<int64_t>(e);
    if (weights[e] == 0) continue;
    if (weights[e] < threshold && expert != main) {
      all = false;
      continue;
    }
    active.push_back({expert, weights[e]});
    total += weights[e];
  }
  if (!all) {
    for (ActiveExpert& expert : active) expert.weight /= total;
  }
  return active;
}

bool ExpertPlan::is_plain() const {
  return std::count(counts.begin(), counts.end(), 0) + 1 == static_cast<int64_t>(counts.size()) &&
         std::all_of(weights.begin(), weights.end(), [](float weight) { return weight == 1; });
}

ExpertPlan plan_experts(std::span<const std::vector<ActiveExpert>* const> routes,
                        int64_t num_experts, int64_t most_slots) {
  ExpertPlan plan;
  std::vector<int32_t>& counts = plan.counts;
  counts.assign(static_cast<size_t>(num_experts), 0);
  for (const auto* route : routes) {
    check(static_cast<int64_t>(route->size()) <= most_slots, "a row has a slot for each expert");
    for (const ActiveExpert& active : *route) {
      check(active.expert < num_experts, "the route is of another model");
      ++counts[active.expert];
    }
  }
  std::vector<int32_t> next;  // of each expert, the place of its next use
  int32_t total = 0;
  for (int32_t e = 0; e < static_cast<int32_t>(num_experts); ++e) {
    next.push_back(total);
    total += counts[e];
  }
  for (std::vector<int32_t>* array : {&plan.rows, &plan.slots, &plan.experts}) array->resize(total);
  plan.weights.resize(total);
  plan.uses.assign(routes.size() * most_slots, -1);
  for (size_t row = 0; row < routes.size(); ++row) {
    for (size_t slot = 0; slot < routes[row]->size(); ++slot) {
      const ActiveExpert& active = (*routes[row])[slot];
      const int32_t use = next[active.expert]++;
      plan.rows[use] = static_cast<int32_t>(row);
      plan.slots[use] = static_cast<int32_t>(slot);
      plan.experts[use] = static_cast<int32_t>(active.expert);
      plan.weights[use] = active.weight;
      plan.uses[row * most_slots + slot] = use;
    }
  }
  return plan;
}

}  // namespace trivium
