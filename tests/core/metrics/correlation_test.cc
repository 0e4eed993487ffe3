#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/metrics/metric.h"

namespace trivium {
namespace {

TEST(Correlation, OfConstantNumbersIsZeroAlsoWhereTheirMeanRounds) {
  // The mean of three times 0.1 is not 0.1, so a variance would not be 0.
  for (const std::string name : {"pearson", "spearman", "pearson_spearman"}) {
    EXPECT_EQ(make_metric(name)->score({{"0.1", {"1"}}, {"0.1", {"2"}}, {"0.1", {"3"}}}), 0);
  }
}

TEST(Correlation, AnUnparsablePredictionIsThree) {
  const auto metric = make_metric("pearson");
  for (const std::string text : {"three", "", "nan", "inf", "1e999", "3 stars", "0x3", "+-3"}) {
    EXPECT_DOUBLE_EQ(metric->score({{text, {"3"}}, {"1", {"1"}}, {"4", {"4"}}}), 1) << text;
  }
}

TEST(Correlation, AGoldThatIsNoNumberIsNamed) {
  try {
    make_metric("pearson")->score({{"1", {"1"}}, {"2", {"positive"}}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_THAT(error.what(), testing::HasSubstr("\"positive\" is not a number"));
  }
}

TEST(Correlation, SpearmanSeesOnlyOrder) {
  EXPECT_DOUBLE_EQ(make_metric("spearman")->score({{"1", {"1"}}, {"10", {"2"}}, {"1e9", {"2.5"}}}),
                   1);
}

}  // namespace
}  // namespace trivium
