#include <gtest/gtest.h>

#include "core/metrics/metric.h"

namespace trivium {
namespace {

std::string repeat(const std::string& words, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += words;
  return text;
}

TEST(RougeL, OfLongTextsIsExact) {
  // The 20,000 words of the gold would need a table of 1.6 GB with the prediction's 20,000.
  const std::string gold = repeat("x y ", 10000), prediction = repeat("y z ", 10000);
  EXPECT_DOUBLE_EQ(make_metric("rouge_l")->score({{prediction, {gold}}}), 0.5);
}

TEST(RougeLCrossFit, TakesLongSentencesUpToItsLimit) {
  const auto metric = make_metric("rouge_l_crossfit");
  // The one word in common is the last within the limit of 4,096, and then the first past it.
  EXPECT_GT(metric->score({{"end", {repeat("x ", 4095) + "end"}}}), 0);
  EXPECT_EQ(metric->score({{"end", {repeat("x ", 4096) + "end"}}}), 0);
}

TEST(RougeLCrossFit, KeepsCaseAndPunctuation) {
  const auto metric = make_metric("rouge_l_crossfit");
  EXPECT_EQ(metric->score({{"The, end", {"the end,"}}}), 0);
  EXPECT_NEAR(make_metric("rouge_l")->score({{"The, end", {"the end,"}}}), 1, 1e-12);
}

}  // namespace
}  // namespace trivium
