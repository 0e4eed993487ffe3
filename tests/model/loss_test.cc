#include "model/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/random_model.h"

namespace trivium {
namespace {

TEST(LabelSmoothedLossTest, UniformLogitsGiveLogV) {
  for (double smoothing : {0.0, 0.1, 0.5}) {
    const torch::Tensor loss = label_smoothed_loss(
        torch::full({3, 50}, 2.5), torch::tensor({0, 7, 49}, torch::kInt64), smoothing);
    EXPECT_LT(max_difference(loss, torch::full({3}, std::log(50.0))), 1e-6);
  }
}

TEST(LabelSmoothedLossTest, HandValue) {
  // p = (1/4, 3/4): 0.8 * -log(3/4) + 0.1 * (-log(1/4) - log(3/4)) = 0.8 * 0.2876821 + 0.1673976
  const torch::Tensor loss = label_smoothed_loss(torch::tensor({{0.0, std::log(3.0)}}),
                                                 torch::tensor({1}, torch::kInt64), 0.2);
  EXPECT_NEAR(loss.item<double>(), 0.3975433, 1e-6);
}

TEST(LabelSmoothedLossTest, IsTheFormulaRowByRow) {
  torch::manual_seed(1);
  const torch::Tensor logits = torch::randn({6, 11}) * 3;
  const torch::Tensor labels = torch::randint(11, {6}, torch::kInt64);
  const torch::Tensor minus_log = -torch::log_softmax(logits.to(torch::kDouble), -1);
  const torch::Tensor expected =
      0.9 * minus_log.gather(1, labels.unsqueeze(1)).squeeze(1) + 0.1 / 11 * minus_log.sum(1);
  EXPECT_LT(max_difference(label_smoothed_loss(logits, labels, 0.1), expected), 1e-5);
  // bfloat16 logits are summed in float32.
  EXPECT_EQ(label_smoothed_loss(logits.to(torch::kBFloat16), labels, 0.1).scalar_type(),
            torch::kFloat32);
}

}  // namespace
}  // namespace trivium
