#include "core/engine/cpu/key_value_cache.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "core/kernels/attention.h"

namespace trivium {
namespace {

// Number `value` of keys or values of a cell: another one for each, all exact in bfloat16.
float number(int64_t plane, int64_t cell, int64_t value) {
  return static_cast<float>((plane * 37 + cell * 11 + value * 5) % 251) - 125;
}

class KeyValueCacheTest : public ::testing::TestWithParam<ComputeType> {
 protected:
  std::byte* cell_at(KeyValueCache& cache, int64_t plane, int64_t cell) const {
    return static_cast<std::byte*>(cache.keys(plane)) +
           cell * cache.stride() * size_of(cache.type());
  }
  void fill(KeyValueCache& cache, int64_t planes, int64_t begin, int64_t end) const {
    for (int64_t plane = 0; plane < planes; ++plane) {
      for (int64_t cell = begin; cell < end; ++cell) {
        std::vector<float> numbers(static_cast<size_t>(cache.stride()));
        for (size_t i = 0; i < numbers.size(); ++i) {
          numbers[i] = number(plane, cell, static_cast<int64_t>(i));
        }
        store_cached(cache.type(), numbers.data(), cache.stride(), cell_at(cache, plane, cell));
      }
    }
  }
  void expect_filled(KeyValueCache& cache, int64_t planes, int64_t cells) const {
    for (int64_t plane = 0; plane < planes; ++plane) {
      for (int64_t cell = 0; cell < cells; ++cell) {
        for (int64_t i = 0; i < cache.stride(); ++i) {
          ASSERT_EQ(read(cell_at(cache, plane, cell), i), number(plane, cell, i))
              << "plane " << plane << ", cell " << cell << ", number " << i;
        }
      }
    }
  }
  static float read(const std::byte* cell, int64_t i) {
    uint32_t bits = 0;
    if (GetParam() == ComputeType::kFloat32) {
      std::memcpy(&bits, cell + i * 4, 4);
    } else {
      std::memcpy(reinterpret_cast<std::byte*>(&bits) + 2, cell + i * 2, 2);
    }
    return std::bit_cast<float>(bits);
  }
};

// No two numbers of all planes and cells share a place: else the last written would win.
TEST_P(KeyValueCacheTest, EveryCellOfEveryPlaneIsApart) {
  KeyValueCache cache(GetParam(), 3, 6);
  EXPECT_EQ(cache.stride(), 12) << "keys, and values behind them";
  EXPECT_EQ(cache.type(), GetParam());
  cache.reserve(7);
  fill(cache, 3, 0, 7);
  expect_filled(cache, 3, 7);
}

TEST_P(KeyValueCacheTest, GrowingKeepsWhatIsThere) {
  KeyValueCache cache(GetParam(), 2, 6);
  cache.reserve(3);
  fill(cache, 2, 0, 3);
  cache.reserve(50);
  expect_filled(cache, 2, 3);
  fill(cache, 2, 3, 50);
  const void* const before = cache.keys(0);
  cache.reserve(10);
  EXPECT_EQ(cache.keys(0), before) << "less than there is changes nothing";
  expect_filled(cache, 2, 50);
}

INSTANTIATE_TEST_SUITE_P(Types, KeyValueCacheTest,
                         ::testing::Values(ComputeType::kFloat32, ComputeType::kBfloat16));

}  // namespace
}  // namespace trivium
