#include "core/kernels/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "core/kernels/bfloat16.h"

namespace trivium {
namespace {

// The formula in double.
struct Reference {
  double loss = 0;
  std::vector<double> gradient;  // of scale * loss
};

Reference reference(const std::vector<float>& logits, size_t label, double smoothing,
                    double scale) {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const float logit : logits) max = std::max<double>(max, logit);
  for (const float logit : logits) sum += std::exp(logit - max);
  Reference result;
  const auto count = static_cast<double>(logits.size());
  for (size_t v = 0; v < logits.size(); ++v) {
    const double log_p = logits[v] - max - std::log(sum);
    const double wanted = smoothing / count + (v == label ? 1 - smoothing : 0);
    result.loss -= wanted * log_p;
    result.gradient.push_back(scale * (std::exp(log_p) - wanted));
  }
  return result;
}

std::vector<float> random_logits(size_t count, double spread, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = static_cast<float>((rng.uniform() - 0.5) * spread);
  return logits;
}

// A few units in the last place of what is added up: the exponent's argument (a difference of two
// logits below 64, so 4e-6 absolute), the exponential and its sum.
constexpr double kBound = 1e-5;

TEST(CrossEntropyRowTest, IsTheFormulaInDouble) {
  for (const size_t count : {size_t{1}, size_t{2}, size_t{17}, size_t{1000}, size_t{50265}}) {
    for (const double smoothing : {0.0, 0.1}) {
      std::vector<float> logits = random_logits(count, 30, count);
      const size_t label = count / 3;
      const Reference expected = reference(logits, label, smoothing, 0.25);
      const float loss =
          cross_entropy_row(logits.data(), static_cast<int64_t>(count), static_cast<int64_t>(label),
                            static_cast<float>(smoothing), 0.25f);
      EXPECT_NEAR(loss, expected.loss, kBound * (1 + std::abs(expected.loss))) << count;
      for (size_t v = 0; v < count; ++v) {
        ASSERT_NEAR(logits[v], expected.gradient[v], kBound * 0.25) << count << " " << v;
      }
    }
  }
}

TEST(CrossEntropyRowTest, Bfloat16LogitsAreReadExactlyAndTheGradientRoundedOnce) {
  std::vector<float> logits = random_logits(50265, 30, 7);
  std::vector<uint16_t> narrow(logits.size());
  narrow_to_bfloat16(logits.data(), 50265, narrow.data());
  widen_from_bfloat16(narrow.data(), 50265, logits.data());
  const Reference expected = reference(logits, 9, 0.1, 0.5);
  EXPECT_NEAR(cross_entropy_row(narrow.data(), 50265, 9, 0.1f, 0.5f), expected.loss, 2e-4);
  widen_from_bfloat16(narrow.data(), 50265, logits.data());
  for (size_t v = 0; v < logits.size(); ++v) {
    // Half a unit in bfloat16's last place.
    ASSERT_NEAR(logits[v], expected.gradient[v],
                std::abs(expected.gradient[v]) / 256 + kBound * 0.5);
  }
}

TEST(CrossEntropyRowTest, TheGradientSumsToZero) {
  std::vector<float> logits = random_logits(3001, 8, 3);
  cross_entropy_row(logits.data(), 3001, 3000, 0.1f, 1.0f);
  double sum = 0;
  for (const float gradient : logits) sum += gradient;
  EXPECT_NEAR(sum, 0, 3001 * 1e-8);
}

TEST(CrossEntropyRowTest, WhatIsNotFiniteShows) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> logits = random_logits(100, 5, 1);
    logits[40] = bad;
    EXPECT_FALSE(std::isfinite(cross_entropy_row(logits.data(), 100, 3, 0.1f, 1.0f)));
  }
}

}  // namespace
}  // namespace trivium
