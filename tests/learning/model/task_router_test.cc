#include "learning/model/task_router.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

int64_t count_parameters(torch::nn::Module& module) {
  int64_t count = 0;
  for (const torch::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

// docs/spec/task_level.md, section 2.
TEST(TaskRouterTest, LinearLayerSpecificHasTheReferencesParameterCount) {
  RoutingConfig config;
  config.num_experts = 3;
  config.task_vector_dim = 128;
  config.router_hidden_dim = 64;
  EXPECT_EQ(count_parameters(*make_router(config, 12)), 101'412);
}

// Every kind. What each computes is tested in tests/checkpoint/router_test.cc.
class RouterKindTest : public ::testing::TestWithParam<std::string> {
 protected:
  RouterKindTest() {
    config_.num_experts = 3;
    config_.task_vector_dim = 16;
    config_.router_hidden_dim = 12;
    config_.router = value_in(router_names(), GetParam());
  }
  bool is_transformer() const { return GetParam().starts_with("transformer"); }

  RoutingConfig config_;
};

TEST_P(RouterKindTest, GivesLogitsToEveryLayerRowAndExpert) {
  const auto router = make_router(config_, 5);
  torch::manual_seed(1);
  router->init_weights(0.5);
  router->eval();
  const torch::Tensor vectors = torch::randn({4, 16});
  const torch::Tensor logits = router->forward(vectors);
  ASSERT_EQ(logits.sizes(), (std::vector<int64_t>{5, 4, 3}));
  // Rows do not mix, and layers differ.
  for (int64_t b = 0; b < 4; ++b) {
    EXPECT_LT(max_difference(router->forward(vectors.narrow(0, b, 1)), logits.narrow(1, b, 1)),
              1e-5);
  }
  for (int64_t l = 1; l < 5; ++l) EXPECT_GT(max_difference(logits[0], logits[l]), 1e-3);
}

TEST_P(RouterKindTest, GradientsReachEveryParameterAndTheTaskVectors) {
  const auto router = make_router(config_, 5);
  torch::manual_seed(1);
  router->init_weights(0.5);
  const torch::Tensor vectors = torch::randn({4, 16}).requires_grad_();
  router->forward(vectors).square().sum().backward();
  EXPECT_GT(vectors.grad().abs().min().item<double>(), 0);
  for (const auto& item : router->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

// Linears and positions ~ N(0, std) and biases 0; recurrent weights U(+-1 / sqrt(hidden)),
// attention's input projection Xavier, LayerNorms 1 and 0, whatever std is.
TEST_P(RouterKindTest, InitWeightsIsTheReferences) {
  config_.task_vector_dim = 128;
  config_.router_hidden_dim = 64;
  const auto router = make_router(config_, 12);
  torch::manual_seed(1);
  router->init_weights(0.5);
  for (const auto& item : router->named_parameters()) {
    const std::string& name = item.key();
    const torch::Tensor& value = item.value();
    if (name.find("norm") != std::string::npos) {
      EXPECT_TRUE(torch::equal(value, torch::full_like(value, name.ends_with("weight")))) << name;
      continue;
    }
    double expected = 0.5;
    if (name.find("_l0") != std::string::npos) {
      expected = 1 / 8.0 / std::sqrt(3.0);
      EXPECT_LE(value.abs().max().item<double>(), 1 / 8.0) << name;
    } else if (name.ends_with("in_proj_weight")) {  // uniform to sqrt(6 / (fan in + fan out))
      expected = std::sqrt(2.0 / static_cast<double>(value.size(0) + value.size(1)));
    } else if (name.ends_with("bias")) {
      EXPECT_EQ(value.abs().max().item<double>(), 0) << name;
      continue;
    }
    EXPECT_NEAR(value.std().item<double>() / expected, 1.0,
                6 / std::sqrt(2.0 * static_cast<double>(value.numel())))
        << name;
  }
}

TEST_P(RouterKindTest, SameSeedGivesTheSameWeights) {
  std::vector<std::vector<torch::Tensor>> weights;
  for (const uint64_t seed : {1, 1, 2}) {
    const auto router = make_router(config_, 5);
    torch::manual_seed(seed);
    router->init_weights(0.5);
    weights.push_back(router->parameters());
  }
  bool differs = false;
  for (size_t i = 0; i < weights[0].size(); ++i) {
    EXPECT_TRUE(torch::equal(weights[0][i], weights[1][i]));
    differs |= !torch::equal(weights[0][i], weights[2][i]);
  }
  EXPECT_TRUE(differs);
}

TEST_P(RouterKindTest, HasDropoutInTrainingOnlyAndOnlyTheTransformer) {
  const auto router = make_router(config_, 5);
  router->init_weights(0.5);
  const torch::Tensor vectors = torch::randn({4, 16});
  router->train();
  EXPECT_EQ(torch::equal(router->forward(vectors), router->forward(vectors)), !is_transformer());
  router->eval();
  EXPECT_TRUE(torch::equal(router->forward(vectors), router->forward(vectors)));
}

TEST_P(RouterKindTest, ParameterCountIsTheModels) {
  ModelConfig config = small_config(3);
  config.encoder_layers = 3;
  config.routing = config_;
  Seq2SeqModel model(config, /*num_tasks=*/2);
  EXPECT_EQ(parameter_count(config),
            static_cast<double>(count_parameters(*model) - model->task_vectors().numel()));
  config.routing.num_experts = 1;
  EXPECT_EQ(parameter_count(config),
            static_cast<double>(count_parameters(*Seq2SeqModel(config, /*num_tasks=*/0))));
}

INSTANTIATE_TEST_SUITE_P(Kinds, RouterKindTest, ::testing::ValuesIn(names_of(router_names())),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace trivium::learning
