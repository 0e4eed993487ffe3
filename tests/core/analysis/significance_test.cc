#include "core/analysis/significance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/json.h"
#include "core/metrics/correlation.h"

namespace trivium {
namespace {

// tools/make_analysis_golden.py
Json golden() { return read_json_file(TRIVIUM_TEST_DATA "/analysis/golden.json"); }

void expect_relative(double value, double reference, double tolerance) {
  EXPECT_NEAR(value, reference, tolerance * std::abs(reference) + 1e-300);
}

TEST(CorrelationPTest, IsScipys) {
  const Json file = golden();
  int cases = 0;
  for (const Json& item : file.at("correlations")) {
    const auto x = item.at("x").get<std::vector<double>>(),
               y = item.at("y").get<std::vector<double>>();
    const double r = pearson(x, y);
    EXPECT_NEAR(r, item.at("r").get<double>(), 1e-12);
    // Where r is near 1, its last digits decide on p.
    expect_relative(correlation_p(item.at("r").get<double>(), x.size()), item.at("p"), 1e-6);
    expect_relative(correlation_p(r, x.size()), item.at("p"), 1e-6);
    ++cases;
  }
  EXPECT_EQ(cases, 20);
}

TEST(CorrelationPTest, KnowsTheEnds) {
  EXPECT_EQ(correlation_p(1, 10), 0);
  EXPECT_EQ(correlation_p(-1, 10), 0);
  EXPECT_NEAR(correlation_p(0, 10), 1, 1e-12);
  EXPECT_EQ(correlation_p(0.9, 2), 1);
  EXPECT_NEAR(correlation_p(-0.5, 20), correlation_p(0.5, 20), 1e-15);
}

TEST(BenjaminiHochbergTest, IsScipys) {
  const Json file = golden();
  const auto adjusted = adjust_benjamini_hochberg(file.at("p").get<std::vector<double>>());
  const auto reference = file.at("adjusted_p").get<std::vector<double>>();
  ASSERT_EQ(adjusted.size(), reference.size());
  for (size_t i = 0; i < adjusted.size(); ++i) EXPECT_NEAR(adjusted[i], reference[i], 1e-12);
  EXPECT_TRUE(adjust_benjamini_hochberg({}).empty());
}

}  // namespace
}  // namespace trivium
