#include "core/kernels/bfloat16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace trivium {
namespace {

uint16_t narrow(float value) {
  uint16_t result = 0;
  narrow_to_bfloat16(&value, 1, &result);
  return result;
}

float widen(uint16_t value) {
  float result = 0;
  widen_from_bfloat16(&value, 1, &result);
  return result;
}

TEST(Bfloat16Test, TiesGoToEven) {
  EXPECT_EQ(widen(narrow(1.0f + 1.0f / 256)), 1.0f);                // half way, down to even
  EXPECT_EQ(widen(narrow(1.0f + 3.0f / 256)), 1.0f + 4.0f / 256);   // half way, up to even
  EXPECT_EQ(widen(narrow(1.0f + 1.01f / 256)), 1.0f + 2.0f / 256);  // past half way
  EXPECT_EQ(widen(narrow(-1.0f - 3.0f / 256)), -1.0f - 4.0f / 256);
}

TEST(Bfloat16Test, EveryBfloat16ComesBack) {
  std::vector<uint16_t> all(65536), again(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  std::vector<float> wide(all.size());
  widen_from_bfloat16(all.data(), 65536, wide.data());
  narrow_to_bfloat16(wide.data(), 65536, again.data());
  for (size_t i = 0; i < all.size(); ++i) {
    if (std::isnan(wide[i])) {
      EXPECT_TRUE(std::isnan(widen(again[i])));
    } else {
      ASSERT_EQ(again[i], all[i]);
    }
  }
}

TEST(Bfloat16Test, InfinityAndOverflow) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(widen(narrow(infinity)), infinity);
  EXPECT_EQ(widen(narrow(-infinity)), -infinity);
  EXPECT_EQ(widen(narrow(std::numeric_limits<float>::max())), infinity);
}

}  // namespace
}  // namespace trivium
