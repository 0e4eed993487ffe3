#include "core/engine/cuda/expert_tiles.h"

#include <algorithm>

namespace trivium {

ExpertTiles cut_into_tiles(const ExpertPlan& plan) {
  ExpertTiles cut;
  cut.tile_rows = cuda::tile_rows_for(*std::max_element(plan.counts.begin(), plan.counts.end()));
  int32_t total = 0;
  for (int32_t e = 0; e < static_cast<int32_t>(plan.counts.size()); ++e) {
    const int32_t count = plan.counts[static_cast<size_t>(e)];
    for (int32_t done = 0; done < count; done += cut.tile_rows) {
      cut.tiles.push_back({e, total + done, std::min(cut.tile_rows, count - done)});
    }
    total += count;
  }
  return cut;
}

}  // namespace trivium
