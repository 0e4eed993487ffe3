#include "learning/model/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learning/model/random_model.h"

namespace trivium::learning {
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

// The output layer of 1030 tokens, so of two pieces.
struct OutputLayer {
  explicit OutputLayer(torch::ScalarType products) {
    torch::manual_seed(1);
    hidden = torch::randn({1030, 8}).set_requires_grad(true);
    weight = torch::randn({37, 8}).set_requires_grad(true);
    narrow = weight.detach().to(products);
    bias = torch::randn({37});
    labels = torch::randint(37, {1030}, torch::kInt64);
    weights = torch::rand({1030});
  }
  // Loss and gradients of 2 * the sum by the plain formula in double.
  std::vector<torch::Tensor> reference() const {
    const torch::Tensor h = hidden.detach().to(narrow.scalar_type()).to(torch::kDouble),
                        w = narrow.to(torch::kDouble);
    const torch::Tensor x = h.clone().set_requires_grad(true),
                        y = w.clone().set_requires_grad(true);
    const torch::Tensor minus_log =
        -torch::log_softmax(at::linear(x, y, bias.to(torch::kDouble)), -1);
    const torch::Tensor losses =
        0.9 * minus_log.gather(1, labels.unsqueeze(1)).squeeze(1) + 0.1 / 37 * minus_log.sum(1);
    const torch::Tensor sum = (losses * weights.to(torch::kDouble)).sum();
    (2 * sum).backward();
    return {losses.detach(), sum.detach(), x.grad(), y.grad()};
  }
  std::vector<torch::Tensor> found() {
    const OutputLoss loss = output_loss(hidden, weight, narrow, bias, labels, weights, 0.1);
    EXPECT_FALSE(loss.losses.requires_grad());
    (2 * loss.sum).backward();
    return {loss.losses, loss.sum.detach(), hidden.grad(), weight.grad()};
  }
  torch::Tensor hidden, weight, narrow, bias, labels, weights;
};

TEST(OutputLossTest, LossAndGradientsAreTheFormulas) {
  OutputLayer layer(torch::kFloat32);
  const auto expected = layer.reference(), found = layer.found();
  // Sums of 37 and of 1030 float32 products of numbers of the size 1.
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LT(max_difference(found[i], expected[i]),
              1e-5 * (1 + expected[i].abs().max().item<double>()))
        << i;
  }
}

TEST(OutputLossTest, InBfloat16LogitsAndTheirGradientAreRoundedOnceEach) {
  OutputLayer layer(torch::kBFloat16);
  const auto expected = layer.reference(), found = layer.found();
  // A logit's half unit in the last place (2^-9 of at most 16) moves a loss by at most twice that.
  EXPECT_LT(max_difference(found[0], expected[0]), 2 * 16.0 / 512);
  for (size_t i = 1; i < expected.size(); ++i) {
    EXPECT_LT((found[i].to(torch::kDouble) - expected[i]).norm().item<double>(),
              0.02 * expected[i].norm().item<double>())
        << i;
  }
}

TEST(OutputLossTest, AFrozenSideGetsNoGradient) {
  OutputLayer layer(torch::kFloat32);
  layer.weight.requires_grad_(false);
  output_loss(layer.hidden, layer.weight, layer.narrow, layer.bias, layer.labels, layer.weights, 0)
      .sum.backward();
  EXPECT_TRUE(layer.hidden.grad().defined());
  EXPECT_FALSE(layer.weight.grad().defined());
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(output_loss(layer.hidden, layer.weight, layer.narrow, layer.bias, layer.labels,
                           layer.weights, 0)
                   .sum.requires_grad());
}

}  // namespace
}  // namespace trivium::learning
