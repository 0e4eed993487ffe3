// Which rows of a batch take which experts of a layer, sorted by expert, so that one launch
// computes them all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace trivium {

// An expert that a row runs, and its weight in the mixture.
struct ActiveExpert {
  int64_t expert = 0;
  float weight = 1;
};

// The experts of `weights` that are run, by EngineOptions::expert_threshold.
std::vector<ActiveExpert> active_experts(const std::vector<float>& weights, float threshold);

// A use is a row in one of its experts. Uses are sorted by expert, those of an expert by row.
struct ExpertPlan {
  std::vector<int32_t> rows, slots, experts;  // [uses]; slot s: number s of the row's experts
  std::vector<float> weights;                 // [uses]
  std::vector<int32_t> uses;                  // [rows, most_slots], -1 for none
  std::vector<int32_t> counts;                // [num_experts]: each one's uses

  int32_t num_uses() const { return static_cast<int32_t>(rows.size()); }
  // Every row takes the same expert alone, so that the uses are the rows themselves.
  bool is_plain() const;
};

// `routes`: each row's experts. An expert outside the layer is a bug.
ExpertPlan plan_experts(std::span<const std::vector<ActiveExpert>* const> routes,
                        int64_t num_experts, int64_t most_slots);

}  // namespace trivium
