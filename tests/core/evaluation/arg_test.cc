#include "core/evaluation/arg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const MethodScores kMethod{"method",
                           {{"a", {0.6, 0.8}}, {"b", {0.3}}, {"zero", {0.2}}, {"x", {1}}}};
const MethodScores kBase{"base",
                         {{"zero", {0, 0}}, {"b", {0.4, 0.2, 0.6}}, {"a", {0.5}}, {"y", {1}}}};

TEST(ArgTest, IsTheMeanOfTheRelativeGains) {
  // a: (0.7 - 0.5) / 0.5 = 0.4; b: (0.3 - 0.4) / 0.4 = -0.25
  const RelativeGain gain = average_relative_gain(kMethod, kBase);
  ASSERT_EQ(gain.tasks.size(), 2u);
  EXPECT_EQ(gain.tasks[0].task, "a");
  EXPECT_NEAR(gain.tasks[0].gain, 0.4, 1e-12);
  EXPECT_NEAR(gain.tasks[1].gain, -0.25, 1e-12);
  EXPECT_NEAR(gain.mean, 0.075, 1e-12);
  EXPECT_EQ(gain.negative(), 1u);
}

TEST(ArgTest, SaysWhichTasksItLeavesOut) {
  const RelativeGain gain = average_relative_gain(kMethod, kBase);
  EXPECT_THAT(gain.without_base, ElementsAre("zero"));
  EXPECT_THAT(gain.only_method, ElementsAre("x"));
  EXPECT_THAT(gain.only_base, ElementsAre("y"));
  const std::string text = gain_text(gain);
  EXPECT_THAT(text, HasSubstr("ARG of method over base: +7.5 %"));
  EXPECT_THAT(text,
              HasSubstr("left out of mean and median, whose base has no score above 0: 1 (zero)"));
}

// 0.0022 -> 0.0158 is +618 %: by itself it would make the mean +162 %.
TEST(ArgTest, ABaseNearZeroMovesNoMean) {
  const MethodScores method{"m", {{"a", {0.55}}, {"b", {0.5}}, {"c", {0.6}}, {"tiny", {0.0158}}}};
  const MethodScores base{"b", {{"a", {0.5}}, {"b", {0.5}}, {"c", {0.5}}, {"tiny", {0.0022}}}};
  const RelativeGain gain = average_relative_gain(method, base);
  EXPECT_NEAR(gain.mean, 0.1, 1e-12);     // of 0.1, 0 and 0.2
  EXPECT_NEAR(gain.median, 0.15, 1e-12);  // of 0, 0.1, 0.2 and 6.18
  EXPECT_LE(gain.interval.high, 0.2 + 1e-12);
  ASSERT_EQ(gain.below_floor.size(), 1u);
  EXPECT_EQ(gain.below_floor[0].task, "tiny");
  EXPECT_EQ(gain.tasks.size(), 3u);
  const std::string text = gain_text(gain);
  EXPECT_THAT(text, HasSubstr("0 of 3 tasks below the base; median +15.0 % of 4 tasks"));
  EXPECT_THAT(text, HasSubstr("left out of the mean, whose base is below 0.05: 1 (tiny)"));
  const Json json = to_json(gain);
  EXPECT_NEAR(json.at("median").get<double>(), 0.15, 1e-12);
  EXPECT_EQ(json.at("floor"), 0.05);
  EXPECT_EQ(json.at("below_floor").at(0).at("task"), "tiny");
}

TEST(ArgTest, NegativeBasesAreNoBases) {
  const RelativeGain gain = average_relative_gain({"m", {{"a", {0.5}}}}, {"b", {{"a", {-0.1}}}});
  EXPECT_THAT(gain.without_base, ElementsAre("a"));
  EXPECT_EQ(gain.mean, 0);
  EXPECT_EQ(gain.interval.high, 0);
}

TEST(ArgTest, TheIntervalHoldsTheMeanAndFollowsTheSeed) {
  const RelativeGain gain = average_relative_gain(kMethod, kBase);
  EXPECT_LT(gain.interval.low, gain.mean);
  EXPECT_GT(gain.interval.high, gain.mean);
  const RelativeGain again = average_relative_gain(kMethod, kBase);
  EXPECT_EQ(gain.interval.low, again.interval.low);
  // One sample of one task: nothing to vary.
  const RelativeGain one = average_relative_gain({"m", {{"a", {0.6}}}}, {"b", {{"a", {0.5}}}});
  EXPECT_NEAR(one.interval.low, 0.2, 1e-12);
  EXPECT_NEAR(one.interval.high, 0.2, 1e-12);
}

// Tasks of gain 0 and 1 in equal number: the mean of n draws is binomial.
TEST(ArgTest, TheIntervalIsThatOfResampledTasks) {
  MethodScores method{"m", {}}, base{"b", {}};
  for (int i = 0; i < 100; ++i) {
    const std::string task = std::to_string(i);
    method.tasks.push_back({task, {i % 2 == 0 ? 0.5 : 1.0}});
    base.tasks.push_back({task, {0.5}});
  }
  const RelativeGain gain = average_relative_gain(method, base);
  EXPECT_NEAR(gain.mean, 0.5, 1e-12);
  EXPECT_NEAR(gain.interval.low, 0.5 - 1.96 * 0.05, 0.02);
  EXPECT_NEAR(gain.interval.high, 0.5 + 1.96 * 0.05, 0.02);
}

TEST(ArgTest, BarsPointToTheSideOfTheGain) {
  const RelativeGain gain = average_relative_gain(kMethod, kBase);
  const std::string text = gain_text(gain);
  EXPECT_THAT(text, HasSubstr("|++++++++++++++++++++\n"));  // +40 %, the longest
  EXPECT_THAT(text, HasSubstr(" -------------|\n"));        // -25 %: 12.5 of 20, rounded to 13
  const std::string svg = gain_svg(gain);
  EXPECT_THAT(svg, HasSubstr("#b2182b"));
  EXPECT_THAT(svg, HasSubstr("#2166ac"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  EXPECT_LT(svg.find(">a<"), svg.find(">b<"));
}

TEST(ArgTest, PicturesEscapeNames) {
  const RelativeGain gain =
      average_relative_gain({"m", {{"<&>", {0.6}}}}, {"b<", {{"<&>", {0.5}}}});
  EXPECT_THAT(gain_svg(gain), HasSubstr("&lt;&amp;&gt;"));
}

TEST(ArgTest, JsonHasEverything) {
  const Json json = to_json(average_relative_gain(kMethod, kBase));
  EXPECT_EQ(json.at("base"), "base");
  EXPECT_EQ(json.at("tasks").at(1).at("task"), "b");
  EXPECT_NEAR(json.at("arg").get<double>(), 0.075, 1e-12);
  EXPECT_EQ(json.at("without_base"), Json({"zero"}));
}

}  // namespace
}  // namespace trivium
