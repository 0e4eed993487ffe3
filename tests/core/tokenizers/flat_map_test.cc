#include "core/tokenizers/flat_map.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

TEST(FlatMap, EqualsTheStandardMapWhileItGrows) {
  FlatMap map;
  std::unordered_map<uint64_t, uint32_t> expected;
  GoldenRandom random(1);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t key = uint64_t{random.below(5000)} << 32 | random.below(4);
    const uint32_t value = random.below(1000);
    map.insert(key, value);
    expected[key] = value;
  }
  for (const auto& [key, value] : expected) EXPECT_EQ(map.find(key), value);
  EXPECT_EQ(map.find(uint64_t{6000} << 32), FlatMap::kNone);
  EXPECT_EQ(map.find(7), expected.contains(7) ? expected[7] : FlatMap::kNone);
}

}  // namespace
}  // namespace trivium
