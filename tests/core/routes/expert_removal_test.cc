#include "core/routes/expert_removal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;
using ::testing::HasSubstr;

constexpr LayerPlace kEncoder2{false, 1}, kDecoder1{true, 0};

RoutingConfig routing_of(RouteSource source, SelectionKind selection) {
  RoutingConfig routing;
  routing.num_experts = 3;
  routing.route_source = source;
  routing.selection = selection;
  return routing;
}

const RoutingConfig kHard = routing_of(RouteSource::kRouter, SelectionKind::kGumbelStraightThrough);
const TaskRoute kTaken{{{1}, {0, 1, 0}}, {{1, 0, 0}}};
const TaskRoute kLikely{{{1}, {0.3f, 0.6f, 0.1f}}, {{1, 0, 0}}};

void expect_refused(const RoutingConfig& routing, const LayerPlace& place, size_t expert,
                    const std::string& problem) {
  try {
    route_without(routing, kLikely, kTaken, place, expert);
    FAIL() << "a route came of it";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(problem));
  }
}

TEST(ExpertRemovalTest, TheNextLikeliestTakesAHardExpertsPlace) {
  const TaskRoute route = route_without(kHard, kLikely, kTaken, kEncoder2, 1);
  EXPECT_THAT(route.encoder[1], ElementsAre(1, 0, 0));
  EXPECT_EQ(route.decoder, kTaken.decoder);
  EXPECT_EQ(route.encoder[0], kTaken.encoder[0]);
  expect_refused(kHard, kEncoder2, 2, "encoder 2 takes expert 2 here: without expert 3 nothing");
}

TEST(ExpertRemovalTest, OthersShareTheWeightOfASoftExpert) {
  const RoutingConfig soft = routing_of(RouteSource::kRouter, SelectionKind::kSoftmax);
  const TaskRoute before{{{1}, {0.2f, 0.5f, 0.3f}}, {{1, 0, 0}}};
  const TaskRoute after = route_without(soft, before, before, kEncoder2, 1);
  EXPECT_THAT(after.encoder[1], ElementsAre(FloatNear(0.4f, 1e-6f), 0, FloatNear(0.6f, 1e-6f)));
}

TEST(ExpertRemovalTest, InATableWithoutAnotherExpertAllOthersShare) {
  const RoutingConfig table = routing_of(RouteSource::kTable, SelectionKind::kSoftmax);
  const TaskRoute after = route_without(table, kLikely, kTaken, kDecoder1, 0);
  EXPECT_THAT(after.decoder[0], ElementsAre(0, FloatEq(0.5f), FloatEq(0.5f)));
}

TEST(ExpertRemovalTest, ARouteWithoutASecondExpertSaysSo) {
  expect_refused(kHard, kDecoder1, 0, "decoder 1 has no second expert");
  for (const RoutingConfig& routing :
       {kHard, routing_of(RouteSource::kTable, SelectionKind::kSoftmax)}) {
    expect_refused(routing, {false, 0}, 0, "encoder 1 has no second expert");
  }
}

}  // namespace
}  // namespace trivium
