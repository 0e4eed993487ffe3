#include "learning/model/selection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

constexpr double kTemperature = 0.4;

class SelectionTest : public ::testing::TestWithParam<SelectionKind> {
 protected:
  SelectionTest() {
    torch::manual_seed(1);
    logits_ = torch::randn({2, 3, 4}, torch::kDouble).requires_grad_();
    noise_ = torch::randn({2, 3, 4}, torch::kDouble);
  }
  // z, or z + g in the Gumbel modes.
  torch::Tensor scores() const {
    return (GetParam() == SelectionKind::kSoftmax ? logits_ : logits_ + noise_).detach();
  }
  torch::Tensor logits_, noise_;
};

TEST_P(SelectionTest, ForwardIsTheFormula) {
  const torch::Tensor weights = select_experts(logits_, GetParam(), kTemperature, noise_);
  const torch::Tensor powers = (scores() / kTemperature).exp();
  torch::Tensor expected = powers / powers.sum(-1, true);
  if (GetParam() == SelectionKind::kGumbelStraightThrough) {
    expected = torch::one_hot(expected.argmax(-1), 4).to(torch::kDouble);
    EXPECT_TRUE(torch::equal(weights, expected));  // exactly one-hot
  }
  EXPECT_LT(max_difference(weights, expected), 1e-12);
}

// d p_i / d z_j = p_i (delta_ij - p_j) / tau, straight-through included (docs/spec/parity.md,
// section 7).
TEST_P(SelectionTest, BackwardIsTheSoftmaxJacobian) {
  const torch::Tensor p = torch::softmax(scores() / kTemperature, -1);
  for (int64_t i = 0; i < 4; ++i) {
    const torch::Tensor weights = select_experts(logits_, GetParam(), kTemperature, noise_);
    const torch::Tensor gradient =
        torch::autograd::grad({weights.select(-1, i).sum()}, {logits_})[0];
    for (int64_t j = 0; j < 4; ++j) {
      const torch::Tensor expected =
          p.select(-1, i) * ((i == j ? 1.0 : 0.0) - p.select(-1, j)) / kTemperature;
      EXPECT_LT(max_difference(gradient.select(-1, j), expected), 1e-12);
    }
  }
}

TEST_P(SelectionTest, ReferenceDefectA2_InferenceHasNoNoise) {
  const torch::Tensor weights =
      select_experts_for_inference(logits_.detach(), GetParam(), kTemperature);
  const torch::Tensor expected =
      GetParam() == SelectionKind::kSoftmax
          ? torch::softmax(logits_.detach() / kTemperature, -1)
          : torch::one_hot(logits_.detach().argmax(-1), 4).to(torch::kDouble);
  EXPECT_LT(max_difference(weights, expected), 1e-12);
  if (GetParam() != SelectionKind::kSoftmax) {
    EXPECT_THROW(select_experts(logits_, GetParam(), 1, {}), std::logic_error);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SelectionTest,
                         ::testing::Values(SelectionKind::kSoftmax, SelectionKind::kGumbelSoftmax,
                                           SelectionKind::kGumbelStraightThrough));

TEST(DrawGumbelTest, HasTheMomentsOfGumbelAndItsGeneratorsOrder) {
  constexpr int64_t kCount = 100'000;
  auto generator = at::detail::createCPUGenerator(9);
  const torch::Tensor draws = draw_gumbel({kCount}, generator).to(torch::kDouble);
  const double variance = std::numbers::pi * std::numbers::pi / 6;
  // 5 standard errors; the fourth central moment of Gumbel is 5.4 variances squared.
  EXPECT_NEAR(draws.mean().item<double>(), std::numbers::egamma, 5 * std::sqrt(variance / kCount));
  EXPECT_NEAR(draws.var().item<double>(), variance, 5 * variance * std::sqrt(4.4 / kCount));
  EXPECT_TRUE(draws.isfinite().all().item<bool>());
  const torch::Tensor again = draw_gumbel({kCount}, at::detail::createCPUGenerator(9));
  EXPECT_TRUE(torch::equal(draws, again.to(torch::kDouble)));
  EXPECT_FALSE(torch::equal(draws, draw_gumbel({kCount}, generator).to(torch::kDouble)));
}

TEST(TemperatureScheduleTest, DecaysToItsFloor) {
  const TemperatureSchedule stage_one;
  EXPECT_EQ(stage_one.at(0), 2.0);
  EXPECT_NEAR(stage_one.at(1000), 2.0 * std::exp(-0.3), 1e-12);
  EXPECT_GT(stage_one.at(9985), 0.1);
  EXPECT_EQ(stage_one.at(9986), 0.1);
  EXPECT_EQ(stage_one.at(60'000), 0.1);
  const TemperatureSchedule stage_two{300, 1, 1e-4};
  EXPECT_EQ(stage_two.at(0), 300.0);
  EXPECT_GT(stage_two.at(57'037), 1.0);
  EXPECT_EQ(stage_two.at(57'038), 1.0);
}

TEST(DrawRandomRoutes, GivesEachRowThatManyExpertsOfEqualWeight) {
  for (const int64_t count : {1, 2, 3}) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
    const torch::Tensor routes = draw_random_routes({4, 500, 3}, count, generator);
    EXPECT_TRUE(routes.sum(-1).allclose(torch::ones({4, 500})));
    EXPECT_TRUE(((routes > 0).sum(-1) == count).all().item<bool>());
    // Every expert gets its share: 2000 rows, so 5 deviations are 0.056 at most.
    EXPECT_TRUE(
        routes.mean(std::vector<int64_t>{0, 1}).allclose(torch::full({3}, 1.0 / 3), 0, 0.056));
    auto again = at::make_generator<at::CPUGeneratorImpl>(7);
    EXPECT_TRUE(torch::equal(routes, draw_random_routes({4, 500, 3}, count, again)));
  }
}

}  // namespace
}  // namespace trivium::learning
