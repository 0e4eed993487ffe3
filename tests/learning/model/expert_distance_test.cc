#include "learning/model/expert_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

// Decoder layer 0 stays one layer: pools are encoder 0, encoder 1 and decoder 1.
Seq2SeqModel pools_model() {
  ModelConfig config = small_config(3);
  config.routing.decoder_vanilla_layers = {0};
  Seq2SeqModel model = random_model(config);
  model->to(torch::kDouble);
  return model;
}

const std::vector<std::string> kPools = {"encoder.layers.0.experts.", "encoder.layers.1.experts.",
                                         "decoder.layers.1.experts."};

TEST(ExpertDistanceTest, IsTheMeanOverPairsOfTheTensorsDistances) {
  Seq2SeqModel model = pools_model();
  const auto parameters = model->named_parameters();
  double expected = 0;
  std::map<std::string, torch::Tensor> gradients;
  for (const std::string& pool : kPools) {
    for (const auto& item : parameters) {
      if (!item.key().starts_with(pool + "0.")) continue;
      const std::string rest = item.key().substr(pool.size() + 1);
      for (int i = 0; i < 3; ++i) {
        const std::string first = pool + std::to_string(i) + rest;
        gradients[first] = torch::zeros_like(parameters[first]);
        for (int j = 0; j < 3; ++j) {
          if (i == j) continue;
          const torch::Tensor difference =
              (parameters[first] - parameters[pool + std::to_string(j) + rest]).detach();
          const double distance = std::sqrt(difference.square().sum().item<double>() + 1e-12);
          expected += distance / 6;  // three pairs, each met twice
          gradients[first] += 0.5 * difference / distance / 3;
        }
      }
    }
  }
  EXPECT_NEAR(add_expert_distance_gradients(*model, 0.5), expected, 1e-9 * expected);
  for (const auto& item : parameters) {
    if (!gradients.contains(item.key())) {
      EXPECT_FALSE(item.value().grad().defined()) << item.key();
      continue;
    }
    EXPECT_LT(max_difference(item.value().grad(), gradients[item.key()]), 1e-12) << item.key();
  }
}

TEST(ExpertDistanceTest, AddsToTheGradientsThatAreThere) {
  Seq2SeqModel model = pools_model();
  add_expert_distance_gradients(*model, 1);
  const torch::Tensor parameter =
      model->named_parameters()["encoder.layers.0.experts.2.fc1.weight"];
  const torch::Tensor once = parameter.grad().clone();
  add_expert_distance_gradients(*model, 1);
  EXPECT_LT(max_difference(parameter.grad(), 2 * once), 1e-12);
  // What takes no turn gets none.
  for (torch::Tensor& each : model->parameters()) {
    each.mutable_grad().reset();
    each.requires_grad_(false);
  }
  EXPECT_GT(add_expert_distance_gradients(*model, 1), 0);
  EXPECT_FALSE(parameter.grad().defined());
}

TEST(ExpertDistanceTest, ADenseModelHasNone) {
  Seq2SeqModel dense = random_model(small_config(1));
  EXPECT_EQ(add_expert_distance_gradients(*dense, 1), 0);
}

}  // namespace
}  // namespace trivium::learning
