#include "core/generation/logit_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace trivium {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> random_row(Rng& rng, size_t size, double scale) {
  std::vector<float> row(size);
  for (float& logit : row) logit = static_cast<float>(scale * rng.normal());
  return row;
}

TEST(LogitScan, FindsTheBestInOrder) {
  Rng rng(1);
  for (const size_t size : {1u, 2u, 15u, 16u, 17u, 1023u, 1024u, 1025u, 50265u}) {
    std::vector<float> row = random_row(rng, size, 3);
    for (size_t i = 0; i < size; i += 7) row[i] = 5;  // ties
    std::vector<Candidate> all;
    std::vector<int32_t> banned;
    for (size_t i = 0; i < size; ++i) {
      const auto token = static_cast<int32_t>(i);
      i % 5 == 3 ? banned.push_back(token) : all.push_back({row[i], token});
    }
    std::sort(all.begin(), all.end(), is_better);
    for (const int count : {1, 8, 100}) {
      LogitScan scan(count);
      scan.read(row, banned);
      ASSERT_EQ(scan.best().size(), std::min<size_t>(count, all.size()));
      for (size_t i = 0; i < scan.best().size(); ++i) {
        EXPECT_EQ(scan.best()[i].token, all[i].token) << size << " " << count << " " << i;
        EXPECT_EQ(scan.best()[i].logit, all[i].logit);
      }
    }
  }
}

TEST(LogitScan, ItsLogProbabilitiesAreThoseOfLogSoftmax) {
  Rng rng(2);
  LogitScan scan(0);
  for (const double scale : {0.0, 0.1, 3.0, 40.0, 1e4}) {
    const std::vector<float> row = random_row(rng, 5001, scale);
    const double max = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float logit : row) sum += std::exp(logit - max);
    scan.read(row);
    for (size_t i = 0; i < row.size(); i += 100) {
      const double expected = row[i] - max - std::log(sum);
      // Two roundings of a float32 of this size, and the sum's relative error of about 1e-7.
      EXPECT_NEAR(scan.log_probability(row[i]), expected, 3e-7 + 1.2e-7 * std::fabs(expected));
    }
  }
}

TEST(LogitScan, MinusInfinityIsNoCandidate) {
  std::vector<float> row(3000, -kInfinity);
  row[2500] = 1;
  row[2600] = 1;
  LogitScan scan(4);
  scan.read(row);
  ASSERT_EQ(scan.best().size(), 2u);
  EXPECT_EQ(scan.best()[0].token, 2500);
  EXPECT_NEAR(scan.log_probability(1), std::log(0.5), 1e-7);
}

TEST(LogitScan, RefusesRowsWithoutFiniteLogits) {
  LogitScan scan(2);
  EXPECT_THROW(scan.read(std::vector<float>(20, -kInfinity)), Error);
  for (const float spoiler : {kInfinity, std::nanf("")}) {
    for (const size_t place : {0u, 5u, 17u, 2000u}) {
      std::vector<float> row(2001, 1.0f);
      row[place] = spoiler;
      EXPECT_THROW(scan.read(row), Error) << spoiler << " at " << place;
    }
  }
}

}  // namespace
}  // namespace trivium
