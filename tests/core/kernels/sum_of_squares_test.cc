#include "core/kernels/sum_of_squares.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.h"

namespace trivium {
namespace {

TEST(SumOfSquaresTest, AgreesWithDouble) {
  Rng rng(1);
  for (const size_t count : {0u, 1u, 63u, 64u, 65u, 1023u, 1024u, 1100u, 5000u}) {
    std::vector<float> values(count);
    double expected = 0;
    for (float& value : values) {
      value = static_cast<float>(rng.normal());
      expected += static_cast<double>(value) * value;
    }
    // A lane adds 16 squares before the double: 17 roundings of float32.
    EXPECT_NEAR(sum_of_squares(values.data(), static_cast<int64_t>(count)), expected,
                17 * 6e-8 * expected);
  }
}

TEST(SumOfSquaresTest, WhatIsNotFiniteShows) {
  std::vector<float> values(100, 1.0f);
  values[70] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(sum_of_squares(values.data(), 100)));
  values[70] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isinf(sum_of_squares(values.data(), 100)));
}

}  // namespace
}  // namespace trivium
