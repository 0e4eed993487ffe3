#include "model/task_router.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/random_model.h"

namespace trivium {
namespace {

// task_level_moe.md, section 2.
TEST(TaskRouterTest, LayerSpecificMlpHasTheReferencesParameterCount) {
  RoutingConfig config;
  config.num_experts = 3;
  config.task_vector_dim = 128;
  config.router_hidden_dim = 64;
  const auto router = make_router(config, 12);
  int64_t count = 0;
  for (const torch::Tensor& parameter : router->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 101'412);
}

TEST(TaskRouterTest, LayerSpecificMlpIsLinearGeluLinear) {
  torch::NoGradGuard no_grad;
  const RoutingConfig config = small_config(3).routing;
  const auto router = make_router(config, 4);
  torch::manual_seed(1);
  for (torch::Tensor& parameter : router->parameters()) parameter.normal_();
  const torch::Tensor vectors = torch::randn({5, 8});
  const torch::Tensor logits = router->forward(vectors);
  ASSERT_EQ(logits.sizes(), (std::vector<int64_t>{4, 5, 3}));
  auto weights = router->named_parameters();
  for (int64_t l = 0; l < 4; ++l) {
    const std::string layer = "layer_" + std::to_string(l) + ".";
    const torch::Tensor inner = torch::matmul(vectors, weights[layer + "hidden.weight"].t()) +
                                weights[layer + "hidden.bias"];
    const torch::Tensor gelu = 0.5 * inner * (1 + torch::erf(inner / std::sqrt(2.0)));
    const torch::Tensor expected =
        torch::matmul(gelu, weights[layer + "out.weight"].t()) + weights[layer + "out.bias"];
    EXPECT_LT(max_difference(logits[l], expected), 1e-5);
  }
}

TEST(TaskRouterTest, InitWeightsSetsTheDeviation) {
  RoutingConfig config;
  config.num_experts = 3;
  const auto router = make_router(config, 12);
  torch::manual_seed(1);
  router->init_weights(0.5);
  for (const auto& item : router->named_parameters()) {
    if (item.key().ends_with("bias")) {
      EXPECT_EQ(item.value().abs().max().item<double>(), 0);
    } else {
      EXPECT_NEAR(item.value().std().item<double>() / 0.5, 1.0,
                  6 / std::sqrt(2.0 * item.value().numel()));
    }
  }
}

}  // namespace
}  // namespace trivium
