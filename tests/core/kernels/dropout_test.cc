#include "core/kernels/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/kernels/bfloat16.h"

namespace trivium {
namespace {

std::vector<float> mask_of(double rate, uint64_t key, int64_t count) {
  std::vector<float> mask(static_cast<size_t>(count), 1.0f);
  drop_values(DropoutMask(rate, key), 0, mask.data(), count, mask.data());
  return mask;
}

// How far the mean of `count` draws of probability p may stray: 5 deviations.
double bound(double p, int64_t count) {
  return 5 * std::sqrt(p * (1 - p) / static_cast<double>(count));
}

TEST(DropValuesTest, DropsItsShareAndScalesTheRest) {
  constexpr int64_t kCount = 1'000'003;
  for (const double rate : {0.0, 0.1, 0.5, 0.9}) {
    int64_t dropped = 0;
    for (const float value : mask_of(rate, 77, kCount)) {
      dropped += value == 0;
      if (value != 0) {
        ASSERT_EQ(value, static_cast<float>(1 / (1 - rate)));
      }
    }
    EXPECT_NEAR(static_cast<double>(dropped) / kCount, rate, bound(rate, kCount) + 1e-9);
  }
}

// Elements at every distance up to a row's length, keys that differ in one bit, and both halves of
// a key.
TEST(DropValuesTest, ElementsAndKeysAreIndependent) {
  constexpr int64_t kCount = 200'000;
  const std::vector<float> mask = mask_of(0.5, 1, kCount + 1024);
  for (int64_t distance = 1; distance <= 1024; ++distance) {
    int64_t same = 0;
    for (int64_t i = 0; i < kCount; ++i) {
      same += (mask[static_cast<size_t>(i)] == 0) == (mask[static_cast<size_t>(i + distance)] == 0);
    }
    // 1024 distances: the bound of 5 deviations fails by chance in one of 1700 such tests.
    ASSERT_NEAR(static_cast<double>(same) / kCount, 0.5, bound(0.5, kCount)) << distance;
  }
  for (int bit = 0; bit < 64; ++bit) {
    const std::vector<float> other = mask_of(0.5, 1 ^ (uint64_t{1} << bit), kCount);
    int64_t same = 0;
    for (size_t i = 0; i < other.size(); ++i) same += (mask[i] == 0) == (other[i] == 0);
    EXPECT_NEAR(static_cast<double>(same) / kCount, 0.5, bound(0.5, kCount)) << bit;
  }
}

TEST(DropValuesTest, AMaskDoesNotDependOnWhereAThreadBegins) {
  const std::vector<float> whole = mask_of(0.3, 5, 1000);
  std::vector<float> part(300, 1.0f);
  drop_values(DropoutMask(0.3, 5), 700, part.data(), 300, part.data());
  for (size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], whole[700 + i]);
}

TEST(DropValuesTest, AllTypesHaveOneMask) {
  constexpr int64_t kCount = 77;
  std::vector<float> values(kCount), residual(kCount);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i) - 30.5f;
    residual[i] = 0.25f * static_cast<float>(i);
  }
  std::vector<uint16_t> narrow(kCount), narrow_out(kCount), rounded_out(kCount);
  narrow_to_bfloat16(values.data(), kCount, narrow.data());
  const DropoutMask mask(0.5, 9);
  const std::vector<float> factors = mask_of(0.5, 9, kCount);
  std::vector<float> out(kCount), sum(kCount), narrow_sum(kCount), widened(kCount);
  drop_values(mask, 0, values.data(), kCount, out.data());
  drop_values(mask, 0, narrow.data(), kCount, narrow_out.data());
  drop_values(mask, 0, values.data(), kCount, rounded_out.data());
  add_dropped_values(mask, 0, residual.data(), values.data(), kCount, sum.data());
  add_dropped_values(mask, 0, residual.data(), narrow.data(), kCount, narrow_sum.data());
  widen_from_bfloat16(narrow_out.data(), kCount, widened.data());
  for (size_t i = 0; i < values.size(); ++i) {  // numbers that bfloat16 has, too, times 2
    EXPECT_EQ(out[i], factors[i] * values[i]);
    EXPECT_EQ(widened[i], out[i]);
    EXPECT_EQ(rounded_out[i], narrow_out[i]);
    EXPECT_EQ(sum[i], residual[i] + out[i]);
    EXPECT_EQ(narrow_sum[i], sum[i]);
  }
}

}  // namespace
}  // namespace trivium
