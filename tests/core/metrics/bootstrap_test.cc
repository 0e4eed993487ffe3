#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/metrics/golden.h"
#include "core/metrics/metric.h"
#include "core/metrics/quantile.h"

namespace trivium {
namespace {

std::vector<Scored> right_and_wrong(int right, int wrong) {
  std::vector<Scored> items(right, Scored{"x", {"x"}});
  items.resize(right + wrong, Scored{"y", {"x"}});
  return items;
}

TEST(Median, IsTheMiddleOrBetweenTheTwoMiddleValues) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 10}), 3);
  EXPECT_EQ(median({}), 0);
}

TEST(BootstrapInterval, AgreesWithScipy) {
  const Json examples = read_metric_golden()["intervals_90_percent"];
  ASSERT_EQ(examples.size(), 3u);
  for (const Json& example : examples) {
    const auto metric = make_metric(example["metric"].get<std::string>());
    const Interval interval =
        bootstrap_interval(*metric, scored_from_json(example["items"]), 4000, 0.9, 7);
    // Two independent bootstraps of 4,000: a quantile's standard error is about 0.003 here.
    EXPECT_NEAR(interval.low, example["low"].get<double>(), 0.02) << metric->name();
    EXPECT_NEAR(interval.high, example["high"].get<double>(), 0.02) << metric->name();
    EXPECT_LT(interval.low, interval.high);
  }
}

TEST(BootstrapInterval, OfAMeanIsTheNormalOne) {
  const auto metric = make_metric("accuracy");
  const Interval interval = bootstrap_interval(*metric, right_and_wrong(700, 300), 2000, 0.95, 1);
  const double half_width = 1.96 * std::sqrt(0.7 * 0.3 / 1000);
  EXPECT_NEAR(interval.low, 0.7 - half_width, 0.004);
  EXPECT_NEAR(interval.high, 0.7 + half_width, 0.004);
}

TEST(BootstrapInterval, IsSetByItsSeed) {
  const auto metric = make_metric("macro_f1");
  const std::vector<Scored> items = right_and_wrong(20, 17);
  const Interval first = bootstrap_interval(*metric, items, 50, 0.95, 3);
  const Interval again = bootstrap_interval(*metric, items, 50, 0.95, 3);
  const Interval other = bootstrap_interval(*metric, items, 50, 0.95, 4);
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
  EXPECT_NE(first.low + first.high, other.low + other.high);
}

TEST(BootstrapInterval, OfOneResampleIsAPoint) {
  const Interval interval =
      bootstrap_interval(*make_metric("em"), right_and_wrong(5, 5), 1, 0.95, 0);
  EXPECT_EQ(interval.low, interval.high);
}

TEST(BootstrapInterval, OfNoItemsIsZero) {
  const Interval interval = bootstrap_interval(*make_metric("pearson"), {});
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 0);
}

TEST(BootstrapInterval, RefusesImpossibleSettings) {
  const auto metric = make_metric("em");
  const std::vector<Scored> items = right_and_wrong(1, 1);
  EXPECT_THROW(bootstrap_interval(*metric, items, 0), Error);
  for (const double confidence : {0.0, 1.0, -1.0, std::nan("")}) {
    EXPECT_THROW(bootstrap_interval(*metric, items, 10, confidence), Error) << confidence;
  }
}

}  // namespace
}  // namespace trivium
