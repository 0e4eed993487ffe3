#include "core/routes/task_route.h"

#include <gtest/gtest.h>

#include "core/routes/layer_place.h"

namespace trivium {
namespace {

TEST(TaskRouteTest, MainExpertIsTheFirstOfTheLargest) {
  EXPECT_EQ(TaskRoute::main_expert({0.2f, 0.5f, 0.3f}), 1);
  EXPECT_EQ(TaskRoute::main_expert({0.4f, 0.4f, 0.2f}), 0);
  EXPECT_EQ(TaskRoute::main_expert({1.0f}), 0);
}

// docs/spec/parity.md, A3: the slides' cost of one expert is that of the argmax of a soft route,
// which the reference never evaluates. Here both can be.
TEST(TaskRouteTest, ReferenceDefectA3_SoftRoutesCanBeTakenByTheirMainExperts) {
  const TaskRoute soft{{{0.2f, 0.5f, 0.3f}, {1}}, {{0.4f, 0.4f, 0.2f}, {0, 0, 1}}, 2};
  EXPECT_EQ(main_experts_only(soft), (TaskRoute{{{0, 1, 0}, {1}}, {{1, 0, 0}, {0, 0, 1}}, 2}));
}

TEST(TaskRouteTest, DenseModelsHaveOneExpertThroughout) {
  ModelConfig config;
  config.encoder_layers = 2;
  config.decoder_layers = 3;
  EXPECT_EQ(dense_route(config), (TaskRoute{{{1}, {1}}, {{1}, {1}, {1}}, 0}));
  EXPECT_EQ(dense_route(config, 4).gates, 4);
}

TEST(TaskRouteTest, JsonIsRounded) {
  const TaskRoute route{{{1}}, {{1.0f / 3, 0.66666f, 0.00001f}}};
  EXPECT_EQ(to_json(route).dump(), R"({"encoder":[[1.0]],"decoder":[[0.3333,0.6667,0.0]]})");
}

TEST(LayerPlaceTest, NamesAndFindsEveryLayer) {
  TaskRoute route{{{1}, {0, 1}}, {{0.25f, 0.75f}}};
  const std::vector<LayerPlace> places = places_of(route);
  ASSERT_EQ(places, (std::vector<LayerPlace>{{false, 0}, {false, 1}, {true, 0}}));
  EXPECT_EQ(name_of(places[1]), "encoder 2");
  EXPECT_EQ(name_of(places[2]), "decoder 1");
  EXPECT_EQ(weights_at(std::as_const(route), places[2]), (std::vector<float>{0.25f, 0.75f}));
  weights_at(route, places[1]) = {1, 0};
  EXPECT_EQ(route.encoder[1], (std::vector<float>{1, 0}));
}

}  // namespace
}  // namespace trivium
