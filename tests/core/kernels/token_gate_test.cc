// The token gate against softmax in double.
#include "core/kernels/token_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/rng.h"

namespace trivium {
namespace {

TEST(ChooseExpertTest, AgreesWithDouble) {
  Rng rng(1);
  for (const int64_t depth : {1, 15, 16, 40, 768}) {
    for (const int64_t num_experts : {2, 3, 4, 7}) {
      std::vector<float> token(depth), weights(num_experts * depth);
      for (float& value : token) value = static_cast<float>(rng.normal());
      const double size = 3 / std::sqrt(static_cast<double>(depth));
      for (float& value : weights) value = static_cast<float>(size * rng.normal());
      std::vector<double> logits(num_experts);
      for (int64_t e = 0; e < num_experts; ++e) {
        for (int64_t i = 0; i < depth; ++i) {
          logits[e] += static_cast<double>(weights[e * depth + i]) * token[i];
        }
      }
      const auto best = std::max_element(logits.begin(), logits.end());
      double total = 0;
      for (const double logit : logits) total += std::exp(logit - *best);
      const GateChoice choice = choose_expert(token.data(), depth, weights.data(), num_experts);
      EXPECT_EQ(choice.expert, best - logits.begin());
      // The logits' error is at most depth * 2^-24 of the sum of their products' sizes, here of
      // some 3 sqrt(depth); sums in 16 lanes have far less.
      EXPECT_NEAR(choice.probability, 1 / total, 2e-5);
    }
  }
}

TEST(ChooseExpertTest, TakesTheFirstOfEquals) {
  const std::vector<float> token(24, 0.5f), weights(4 * 24, 0.25f);
  const GateChoice choice = choose_expert(token.data(), 24, weights.data(), 4);
  EXPECT_EQ(choice.expert, 0);
  EXPECT_FLOAT_EQ(choice.probability, 0.25f);
}

TEST(ChooseExpertTest, LargeLogitsDoNotOverflow) {
  const std::vector<float> token = {1000.0f}, weights = {-1, 1, 0.5f};
  const GateChoice choice = choose_expert(token.data(), 1, weights.data(), 3);
  EXPECT_EQ(choice.expert, 1);
  EXPECT_EQ(choice.probability, 1);
}

}  // namespace
}  // namespace trivium
