#include "core/engine/cuda/expert_tiles.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

ExpertTiles tiles_of(const std::vector<std::vector<ActiveExpert>>& rows, int64_t num_experts) {
  std::vector<const std::vector<ActiveExpert>*> routes;
  for (const std::vector<ActiveExpert>& row : rows) routes.push_back(&row);
  return cut_into_tiles(plan_experts(routes, num_experts, 2));
}

TEST(ExpertTilesTest, EachTileIsOfOneExpert) {
  const std::vector<ActiveExpert> first = {{0, 1}}, last = {{2, 1}},
                                  both = {{0, 0.25f}, {2, 0.75f}};
  const ExpertTiles cut = tiles_of({last, first, both, last}, 3);
  EXPECT_EQ(cut.tile_rows, 16);
  ASSERT_EQ(cut.tiles.size(), 2u);
  EXPECT_EQ(cut.tiles[0].expert, 0);
  EXPECT_EQ(cut.tiles[0].first, 0);
  EXPECT_EQ(cut.tiles[0].count, 2);
  EXPECT_EQ(cut.tiles[1].expert, 2);
  EXPECT_EQ(cut.tiles[1].first, 2);
  EXPECT_EQ(cut.tiles[1].count, 3);
}

TEST(ExpertTilesTest, CutsAnExpertsRows) {
  const ExpertTiles cut = tiles_of(std::vector<std::vector<ActiveExpert>>(130, {{1, 1}}), 2);
  EXPECT_EQ(cut.tile_rows, 64);
  ASSERT_EQ(cut.tiles.size(), 3u);
  EXPECT_EQ(cut.tiles[1].first, 64);
  EXPECT_EQ(cut.tiles[1].count, 64);
  EXPECT_EQ(cut.tiles[2].first, 128);
  EXPECT_EQ(cut.tiles[2].count, 2);
}

}  // namespace
}  // namespace trivium
