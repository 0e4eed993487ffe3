// What the golden cases do not show by name: the rules at the edges.
#include <gtest/gtest.h>

#include "core/metrics/metric.h"

namespace trivium {
namespace {

TEST(MacroF1, APredictionOutsideTheLabelSetAddsAClass) {
  const auto metric = make_metric("macro_f1");
  // yes: F1 1; no: gold twice, predicted and right once, F1 2/3; nope: 0.
  EXPECT_DOUBLE_EQ(metric->score({{"yes", {"yes"}}, {"no", {"no"}}, {"nope", {"no"}}}),
                   (1 + 2.0 / 3 + 0) / 3);
}

TEST(MacroF1, CountsOnlyTheClassesOfAResample) {
  const auto prepared = make_metric("macro_f1")->prepare({{"a", {"a"}}, {"c", {"b"}}});
  EXPECT_DOUBLE_EQ(prepared->score(std::vector<uint32_t>{0, 0}), 1);
  EXPECT_DOUBLE_EQ(prepared->score(std::vector<uint32_t>{0, 1}), 1.0 / 3);
}

TEST(MacroF1, LooksAtTheFirstGoldOnly) {
  EXPECT_EQ(make_metric("macro_f1")->score({{"b", {"a", "b"}}}), 0);
}

TEST(F1True, IsOfTheAnswerTrueAlone) {
  const auto metric = make_metric("f1_true");
  // Two right, one found wrongly, one missed: precision and recall 2/3.
  EXPECT_DOUBLE_EQ(metric->score({{"true", {"true"}},
                                  {"true", {"true"}},
                                  {"true", {"false"}},
                                  {"false", {"true"}},
                                  {"false", {"false"}}}),
                   2.0 / 3);
  EXPECT_EQ(metric->score({{"false", {"false"}}}), 0);
}

TEST(Matthews, ForColaEveryOtherPredictionIsUnacceptable) {
  const auto metric = make_metric("matthews");
  EXPECT_EQ(metric->score({{"acceptable", {"acceptable"}}, {"gibberish", {"unacceptable"}}}), 1);
}

TEST(Matthews, IsZeroForAConstantPrediction) {
  const auto metric = make_metric("matthews");
  EXPECT_EQ(metric->score({{"a", {"a"}}, {"a", {"b"}}, {"a", {"c"}}}), 0);
}

TEST(Matthews, IsMinusOneForTwoClassesExchanged) {
  EXPECT_EQ(make_metric("matthews")->score({{"a", {"b"}}, {"b", {"a"}}}), -1);
}

}  // namespace
}  // namespace trivium
