#include "learning/training/output_bias.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

TEST(OutputBias, IsTheLogarithmOfTheTargetsShares) {
  Checkpoint checkpoint = toy_checkpoint(toy_config(1));
  set_output_bias(checkpoint.model, {{0, {2, 3}, {4, 4, 3}}, {0, {2, 3}, {5, 4, 4, 3, 3}}});
  const torch::Tensor bias = checkpoint.model->final_logits_bias().squeeze(0);
  const auto vocab_size = static_cast<double>(bias.size(0));
  const auto expected = [&](double share) { return std::log(share / 2 + 0.5 / vocab_size); };
  EXPECT_NEAR(bias[4].item<double>(), expected(4 / 8.0), 1e-6);
  EXPECT_NEAR(bias[3].item<double>(), expected(3 / 8.0), 1e-6);
  EXPECT_NEAR(bias[5].item<double>(), expected(1 / 8.0), 1e-6);
  EXPECT_NEAR(bias[6].item<double>(), expected(0), 1e-6);
  EXPECT_NEAR(bias.exp().sum().item<double>(), 1, 1e-5);
}

}  // namespace
}  // namespace trivium::learning
