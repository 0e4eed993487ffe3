// The routes that a LibTorch model gives its tasks, and plain routes as the model takes them.
#include <gtest/gtest.h>

#include "learning/model/model_routes.h"
#include "learning/model/random_model.h"
#include "learning/model/selection.h"

namespace trivium::learning {
namespace {

TEST(TaskRouteTest, RouteOfATaskIsTheRoutersChoice) {
  torch::NoGradGuard no_grad;
  for (SelectionKind kind : {SelectionKind::kSoftmax, SelectionKind::kGumbelStraightThrough}) {
    ModelConfig config = small_config(3);
    config.routing.selection = kind;
    config.routing.decoder_vanilla_layers = {1};
    Seq2SeqModel model = random_model(config);
    for (int64_t task = 0; task < 4; ++task) {
      const torch::Tensor logits = model->router_logits(torch::full({1}, task, torch::kInt64));
      const torch::Tensor weights = select_experts_for_inference(logits, kind, 0.5);
      const TaskRoute route = route_of_task(model, task, 0.5);
      ASSERT_EQ(route.encoder.size(), 2u);
      ASSERT_EQ(route.decoder.size(), 2u);
      for (int64_t e = 0; e < 3; ++e) {
        EXPECT_FLOAT_EQ(route.encoder[0][e], weights[0][0][e].item<float>());
        EXPECT_FLOAT_EQ(route.encoder[1][e], weights[1][0][e].item<float>());
        EXPECT_FLOAT_EQ(route.decoder[0][e], weights[2][0][e].item<float>());
      }
      EXPECT_EQ(route.decoder[1], std::vector<float>{1.0f});  // an ordinary layer
    }
    EXPECT_THROW(route_of_task(model, 4, 1), std::logic_error);
    EXPECT_THROW(route_of_task(model, -1, 1), std::logic_error);
  }
}

// docs/spec/parity.md, A3: the slides' cost of one expert is that of the argmax of a soft route,
// which the reference never evaluates. Here both can be.
TEST(TaskRouteTest, ReferenceDefectA3_SoftRoutesCanBeTakenByTheirMainExperts) {
  ModelConfig config = small_config(3);
  config.routing.decoder_vanilla_layers = {1};
  Seq2SeqModel model = random_model(config);
  const TaskRoute soft = route_of_task(model, 2, 0.5);
  const TaskRoute hard = main_experts_only(soft);
  for (const auto stack : {&TaskRoute::encoder, &TaskRoute::decoder}) {
    for (size_t l = 0; l < 2; ++l) {
      const std::vector<float>& weights = (hard.*stack)[l];
      ASSERT_EQ(weights.size(), (soft.*stack)[l].size());
      const int64_t main = TaskRoute::main_expert((soft.*stack)[l]);
      for (size_t e = 0; e < weights.size(); ++e) {
        EXPECT_EQ(weights[e], static_cast<int64_t>(e) == main ? 1.0f : 0.0f);
      }
    }
  }
  EXPECT_NE(soft, hard);
  EXPECT_TRUE(
      make_stack_plan(routing_weights({&hard}, config, torch::kCPU).encoder)[0].unit_weights);
}

TEST(TaskRouteTest, DenseModelsHaveOneExpertThroughout) {
  Seq2SeqModel model = random_model(small_config(1));
  const TaskRoute route = route_of_task(model, -1, 1);
  EXPECT_EQ(route, (TaskRoute{{{1}, {1}}, {{1}, {1}}}));
  EXPECT_FALSE(routing_weights({&route}, model->config(), torch::kCPU).encoder.defined());
}

TEST(TaskRouteTest, RowsBecomeTensors) {
  ModelConfig config = small_config(3);
  config.routing.encoder_vanilla_layers = {0};
  const TaskRoute a{{{1}, {0, 1, 0}}, {{0.5, 0.25, 0.25}, {1, 0, 0}}};
  const TaskRoute b{{{1}, {0, 0, 1}}, {{1, 0, 0}, {0, 1, 0}}};
  const RoutingWeights weights = routing_weights({&a, &b, &a}, config, torch::kCPU);
  ASSERT_EQ(weights.encoder.sizes(), (std::vector<int64_t>{2, 3, 3}));
  EXPECT_TRUE(torch::equal(weights.encoder[1],
                           torch::tensor({{0.f, 1.f, 0.f}, {0.f, 0.f, 1.f}, {0.f, 1.f, 0.f}})));
  EXPECT_TRUE(torch::equal(weights.decoder[0],
                           torch::tensor({{.5f, .25f, .25f}, {1.f, 0.f, 0.f}, {.5f, .25f, .25f}})));
}

// The weights are written by index, so another model's route must be caught before.
TEST(TaskRouteTest, RoutesOfOtherModelsAreCaught) {
  const ModelConfig config = small_config(3);
  const TaskRoute good{{{1, 0, 0}, {0, 1, 0}}, {{1, 0, 0}, {0, 1, 0}}};
  TaskRoute more_experts = good, fewer_layers = good, more_layers = good;
  more_experts.decoder[1] = {0, 0, 0, 1};
  fewer_layers.encoder.pop_back();
  more_layers.decoder.push_back({1, 0, 0});
  EXPECT_NO_THROW(routing_weights({&good, &good}, config, torch::kCPU));
  for (const TaskRoute& bad : {more_experts, fewer_layers, more_layers}) {
    EXPECT_THROW(routing_weights({&good, &bad}, config, torch::kCPU), std::logic_error);
    EXPECT_THROW(routing_weights({&bad, &good}, config, torch::kCPU), std::logic_error);
  }
}

TEST(ModelRoutesTest, AreWhatTheRouterGivesEveryTask) {
  torch::NoGradGuard no_grad;
  for (SelectionKind kind : {SelectionKind::kSoftmax, SelectionKind::kGumbelStraightThrough}) {
    ModelConfig config = small_config(3);
    config.routing.encoder_vanilla_layers = {0};
    config.routing.selection = kind;
    config.routing.selection_temperature = 0.5;
    Seq2SeqModel model = random_model(config);
    const ModelRoutes routes = model_routes(model);
    EXPECT_EQ(routes.temperature, 0.5);
    ASSERT_EQ(routes.used.size(), 4u);
    ASSERT_EQ(routes.likely.size(), 4u);
    for (int64_t task = 0; task < 4; ++task) {
      EXPECT_EQ(routes.used[task], route_of_task(model, task, 0.5));
      const torch::Tensor likely =
          model->router_logits(torch::full({1}, task, torch::kInt64)).softmax(-1);
      EXPECT_EQ(routes.likely[task].encoder[0], std::vector<float>{1.0f});  // an ordinary layer
      for (int64_t e = 0; e < 3; ++e) {
        EXPECT_NEAR(routes.likely[task].encoder[1][e], likely[1][0][e].item<float>(), 1e-6);
        EXPECT_NEAR(routes.likely[task].decoder[1][e], likely[3][0][e].item<float>(), 1e-6);
      }
    }
  }
}

TEST(ModelRoutesTest, ATableIsWhatIsUsed) {
  ModelConfig config = small_config(3);
  config.routing.route_source = RouteSource::kTable;
  const ModelRoutes routes = model_routes(Seq2SeqModel(config, 4));
  EXPECT_EQ(routes.likely, routes.used);
  EXPECT_FLOAT_EQ(routes.used[0].encoder[0][0], 1.0f / 3);
}

}  // namespace
}  // namespace trivium::learning
