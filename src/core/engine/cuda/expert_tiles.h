// How a plan's uses are cut into what a block of CUDA's kernels computes at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/expert_plan.h"
#include "core/kernels/grouped_linear.h"

namespace trivium {

struct ExpertTiles {
  std::vector<cuda::ExpertTile> tiles;  // in the order of the uses, each of one expert
  int32_t tile_rows = 16;               // the most uses of a tile
};

ExpertTiles cut_into_tiles(const ExpertPlan& plan);

}  // namespace trivium
