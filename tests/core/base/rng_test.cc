#include "core/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"

namespace trivium {
namespace {

// The C++ standard gives the 10000th value of a default-seeded mt19937_64.
TEST(RngTest, IsTheStandardsEngine) {
  Rng rng(5489);
  for (int i = 0; i < 9999; ++i) rng.next();
  EXPECT_EQ(rng.next(), 9981545732273789042u);
}

TEST(RngTest, GoesOnFromItsState) {
  Rng rng(3);
  rng.next();
  Rng other(4);
  other.set_state(rng.state());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(rng.next(), other.next());
  EXPECT_THROW(other.set_state("no numbers"), Error);
}

TEST(RngTest, BelowIsUniform) {
  Rng rng(1);
  std::vector<int> counts(7);
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(rng.below(7));
  // Five standard deviations of a binomial count.
  const double bound = 5 * std::sqrt(kDraws / 7.0 * 6 / 7);
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7.0, bound);
  EXPECT_THROW(rng.below(0), std::logic_error);
}

TEST(RngTest, NormalAndPoissonHaveTheirMoments) {
  Rng rng(2);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, counts = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = rng.normal();
    sum += value;
    squares += value * value;
    counts += rng.poisson(3);
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(counts / kDraws, 3, 5 * std::sqrt(3.0 / kDraws));
}

TEST(RngTest, ShuffleKeepsTheItemsAndFollowsTheSeed) {
  std::vector<int> items(50);
  std::iota(items.begin(), items.end(), 0);
  auto a = items, b = items;
  Rng(9).shuffle(a);
  Rng(9).shuffle(b);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, items);
  std::sort(a.begin(), a.end());
  EXPECT_EQ(a, items);
}

}  // namespace
}  // namespace trivium
