#include "core/tokenizers/byte_pair_merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;

// The definition, word by word: the lowest rank, leftmost, one at a time.
void merge_naively(const std::vector<BytePairMerger::Rule>& rules, std::vector<int32_t>& ids) {
  std::map<std::pair<int32_t, int32_t>, size_t> ranks;
  for (size_t i = 0; i < rules.size(); ++i) ranks[{rules[i].left, rules[i].right}] = i;
  for (;;) {
    size_t best = rules.size(), place = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found == ranks.end() || found->second >= best) continue;
      best = found->second;
      place = i;
    }
    if (best == rules.size()) return;
    ids[place] = rules[best].result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(place) + 1);
  }
}

TEST(BytePairMerger, MergesLowestRankFirstThenLeftmost) {
  BytePairMerger merger;
  EXPECT_TRUE(merger.add(1, 2, 10));
  EXPECT_TRUE(merger.add(0, 1, 11));
  EXPECT_TRUE(merger.add(10, 10, 12));
  EXPECT_FALSE(merger.add(0, 1, 13));
  std::vector<int32_t> ids = {0, 1, 2, 1, 2, 1, 2, 0, 1};
  merger.merge(ids);
  EXPECT_THAT(ids, ElementsAre(0, 12, 10, 11));
}

TEST(BytePairMerger, LeavesShortWordsAlone) {
  BytePairMerger merger;
  merger.add(1, 1, 2);
  std::vector<int32_t> ids;
  merger.merge(ids);
  EXPECT_THAT(ids, ElementsAre());
  ids = {1};
  merger.merge(ids);
  EXPECT_THAT(ids, ElementsAre(1));
  ids = {1, 1, 1};
  merger.merge(ids);
  EXPECT_THAT(ids, ElementsAre(2, 1));
}

// Also rules in no sensible order, as a hostile file may have them.
TEST(BytePairMerger, EqualsTheDefinitionOnRandomRules) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    GoldenRandom random(seed);
    BytePairMerger merger;
    const uint32_t symbols = 2 + random.below(6);
    for (uint32_t i = 0; i < 1 + random.below(30); ++i) {
      const auto id = [&] { return static_cast<int32_t>(random.below(symbols + i)); };
      const int32_t left = id(), right = id();
      merger.add(left, right, static_cast<int32_t>(symbols + i));
    }
    std::vector<int32_t> ids(random.below(60));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(symbols));
    std::vector<int32_t> expected = ids;
    merge_naively(merger.rules(), expected);
    merger.merge(ids);
    EXPECT_EQ(ids, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace trivium
