// Which rows of a batch take which experts of a layer, sorted by expert, so that one launch computes
// them all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "kernels/grouped_linear.h"

namespace trivium {

// A use is a row in one of its experts. Uses are sorted by expert, those of an expert by row.
struct ExpertPlan {
  std::vector<int32_t> rows, slots, experts;  // [uses]; slot s: number s of the row's experts
  std::vector<float> weights;                 // [uses]
  std::vector<int32_t> uses;                  // [rows, most_slots], -1 for none
  std::vector<cuda::ExpertTile> tiles;
  int32_t tile_rows = 16;

  int32_t num_uses() const { return static_cast<int32_t>(rows.size()); }
};

// `routes`: each row's experts. An expert outside the layer is a bug.
ExpertPlan plan_experts(std::span<const std::vector<ActiveExpert>* const> routes,
                        int64_t num_experts, int64_t most_slots);

}  // namespace trivium
