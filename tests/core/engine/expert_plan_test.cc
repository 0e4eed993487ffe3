#include "core/engine/expert_plan.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

TEST(ExpertPlanTest, SortsUsesByExpertAndKeepsTheOrderOfRows) {
  const std::vector<ActiveExpert> first = {{0, 1}}, last = {{2, 1}},
                                  both = {{0, 0.25f}, {2, 0.75f}};
  const std::vector<const std::vector<ActiveExpert>*> routes = {&last, &first, &both, &last};
  const ExpertPlan plan = plan_experts(routes, 3, 2);
  EXPECT_EQ(plan.rows, (std::vector<int32_t>{1, 2, 0, 2, 3}));
  EXPECT_EQ(plan.experts, (std::vector<int32_t>{0, 0, 2, 2, 2}));
  EXPECT_EQ(plan.slots, (std::vector<int32_t>{0, 0, 0, 1, 0}));
  EXPECT_EQ(plan.weights, (std::vector<float>{1, 0.25f, 1, 0.75f, 1}));
  EXPECT_EQ(plan.uses, (std::vector<int32_t>{2, -1, 0, -1, 1, 3, 4, -1}));
  EXPECT_EQ(plan.counts, (std::vector<int32_t>{2, 0, 3}));
  EXPECT_FALSE(plan.is_plain());
}

TEST(ExpertPlanTest, IsPlainWhereAllRowsTakeOneExpertAlone) {
  const std::vector<ActiveExpert> one = {{1, 1}}, half = {{1, 0.5f}}, other = {{0, 1}};
  using Routes = std::vector<const std::vector<ActiveExpert>*>;
  EXPECT_TRUE(plan_experts(Routes{&one, &one}, 3, 1).is_plain());
  EXPECT_FALSE(plan_experts(Routes{&one, &half}, 3, 1).is_plain());
  EXPECT_FALSE(plan_experts(Routes{&one, &other}, 3, 1).is_plain());
}

TEST(ExpertPlanTest, LeavesOutExpertsBelowTheThreshold) {
  EXPECT_EQ(active_experts({0.2f, 0.5f, 0.3f}, 0).size(), 3u);
  const std::vector<ActiveExpert> two = active_experts({0.2f, 0.5f, 0.3f}, 0.25f);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].expert, 1);
  EXPECT_EQ(two[1].expert, 2);
  EXPECT_FLOAT_EQ(two[0].weight, 0.625f);
  EXPECT_FLOAT_EQ(two[1].weight, 0.375f);
  const std::vector<ActiveExpert> main = active_experts({0.3f, 0.4f, 0.3f}, 0.9f);
  ASSERT_EQ(main.size(), 1u);
  EXPECT_EQ(main[0].expert, 1);
  EXPECT_EQ(main[0].weight, 1);
  const std::vector<ActiveExpert> zero = active_experts({0, 0.25f, 0.75f}, 0);
  ASSERT_EQ(zero.size(), 2u) << "an expert without weight is not run";
  EXPECT_EQ(zero[0].weight, 0.25f);
}

TEST(ExpertPlanTest, ARouteOfAnotherModelIsABug) {
  const std::vector<ActiveExpert> outside = {{3, 1}};
  const std::vector<const std::vector<ActiveExpert>*> routes = {&outside};
  EXPECT_THROW(plan_experts(routes, 3, 1), std::logic_error);
}

}  // namespace
}  // namespace trivium
