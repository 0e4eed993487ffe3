#include "core/base/aligned_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace trivium {
namespace {

TEST(AlignedMemory, IsAlignedAndWritable) {
  constexpr size_t kLargePage = size_t{1} << 21;
  for (const size_t count : {size_t{0}, size_t{1}, size_t{1000}, kLargePage / sizeof(float) + 5}) {
    const std::shared_ptr<float[]> values = uninitialised<float>(count);
    const auto place = reinterpret_cast<uintptr_t>(values.get());
    EXPECT_EQ(place % 64, 0u) << count;
    if (count * sizeof(float) >= kLargePage) {
      EXPECT_EQ(place % kLargePage, 0u) << count;
    }
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(values[i], static_cast<float>(i));
  }
}

}  // namespace
}  // namespace trivium
