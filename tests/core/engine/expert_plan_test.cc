#include "core/engine/expert_plan.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

TEST(ExpertPlanTest, SortsUsesByExpertAndKeepsTheOrderOfRows) {
  const std::vector<ActiveExpert> first = {{0, 1}}, last = {{2, 1}}, both = {{0, 0.25f}, {2, 0.75f}};
  const std::vector<const std::vector<ActiveExpert>*> routes = {&last, &first, &both, &last};
  const ExpertPlan plan = plan_experts(routes, 3, 2);
  EXPECT_EQ(plan.rows, (std::vector<int32_t>{1, 2, 0, 2, 3}));
  EXPECT_EQ(plan.experts, (std::vector<int32_t>{0, 0, 2, 2, 2}));
  EXPECT_EQ(plan.slots, (std::vector<int32_t>{0, 0, 0, 1, 0}));
  EXPECT_EQ(plan.weights, (std::vector<float>{1, 0.25f, 1, 0.75f, 1}));
  EXPECT_EQ(plan.uses, (std::vector<int32_t>{2, -1, 0, -1, 1, 3, 4, -1}));
  EXPECT_EQ(plan.counts, (std::vector<int32_t>{2, 0, 3}));
  EXPECT_FALSE(plan.is_plain());
  ASSERT_EQ(plan.tiles.size(), 2u);
  EXPECT_EQ(plan.tiles[1].expert, 2);
  EXPECT_EQ(plan.tiles[1].first, 2);
  EXPECT_EQ(plan.tiles[1].count, 3);
}

TEST(ExpertPlanTest, CutsAnExpertsRowsIntoTiles) {
  const std::vector<ActiveExpert> one = {{1, 1}};
  const std::vector<const std::vector<ActiveExpert>*> routes(130, &one);
  const ExpertPlan plan = plan_experts(routes, 2, 1);
  EXPECT_EQ(plan.tile_rows, 64);
  ASSERT_EQ(plan.tiles.size(), 3u);
  EXPECT_EQ(plan.tiles[2].first, 128);
  EXPECT_EQ(plan.tiles[2].count, 2);
}

TEST(ExpertPlanTest, IsPlainWhereAllRowsTakeOneExpertAlone) {
  const std::vector<ActiveExpert> one = {{1, 1}}, half = {{1, 0.5f}}, other = {{0, 1}};
  using Routes = std::vector<const std::vector<ActiveExpert>*>;
  EXPECT_TRUE(plan_experts(Routes{&one, &one}, 3, 1).is_plain());
  EXPECT_FALSE(plan_experts(Routes{&one, &half}, 3, 1).is_plain());
  EXPECT_FALSE(plan_experts(Routes{&one, &other}, 3, 1).is_plain());
}

TEST(ExpertPlanTest, ARouteOfAnotherModelIsABug) {
  const std::vector<ActiveExpert> outside = {{3, 1}};
  const std::vector<const std::vector<ActiveExpert>*> routes = {&outside};
  EXPECT_THROW(plan_experts(routes, 3, 1), std::logic_error);
}

}  // namespace
}  // namespace trivium
