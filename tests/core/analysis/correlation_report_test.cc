#include "core/analysis/correlation_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/analysis/significance.h"
#include "core/analysis/toy_routes.h"
#include "core/base/temporary_folder.h"
#include "core/metrics/correlation.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The features of task0, task1...: odd; all; and the first third.
FeatureTable toy_features(size_t tasks) {
  FeatureTable table;
  table.features = {{"odd", "", true, {}}, {"all", "", true, {}}, {"early", "", false, {}}};
  for (size_t i = 0; i < tasks; ++i) {
    table.tasks.push_back("task" + std::to_string(i));
    table.features[0].has.push_back(i % 2 == 1);
    table.features[1].has.push_back(true);
    table.features[2].has.push_back(i < tasks / 3);
  }
  return table;
}

TEST(CorrelationReportTest, FindsWhatIsThere) {
  const RouteDump dump = toy_routes(12);
  const CorrelationReport report = correlate(dump, toy_features(12));
  EXPECT_EQ(report.tasks, 12u);
  // 2 features that vary, and the 3 experts of encoder 2.
  EXPECT_EQ(report.tests.size(), 6u);
  EXPECT_THAT(report.constant_features, ElementsAre("all"));
  EXPECT_THAT(report.constant_experts,
              ElementsAre("decoder 1, expert 1", "decoder 1, expert 2", "decoder 1, expert 3"));
  const FeatureExpert& best = report.tests.at(0);
  EXPECT_EQ(best.feature, "odd");
  EXPECT_EQ(best.place, (LayerPlace{false, 1}));
  EXPECT_LT(best.p, 1e-9);
  EXPECT_TRUE(report.holds_by_bonferroni(best));
  EXPECT_TRUE(report.holds_by_benjamini_hochberg(best));
  // "odd" with experts 1 (negative) and 2 (positive), and "early" with expert 3.
  ASSERT_EQ(report.found().size(), 3u);
  EXPECT_LT(report.found()[0].r * report.found()[1].r, 0);
  EXPECT_EQ(report.found()[2].feature, "early");
}

TEST(CorrelationReportTest, MatchesTasksByName) {
  const RouteDump dump = toy_routes(12);
  FeatureTable features = toy_features(12);
  const CorrelationReport report = correlate(dump, features);
  // The dump is in another order than the table: compute one test by hand.
  std::vector<double> x, y;
  for (const RouteRow& row : dump.tasks) {
    x.push_back(std::stoi(row.task.substr(4)) < 4);
    y.push_back(row.likely[1]);
  }
  for (const FeatureExpert& test : report.tests) {
    if (test.feature != "early" || test.expert != 1) continue;
    EXPECT_NEAR(test.r, pearson(x, y), 1e-12);
    EXPECT_NEAR(test.p, correlation_p(pearson(x, y), 12), 1e-12);
  }
  features.tasks[3] = "unknown";
  EXPECT_EQ(correlate(dump, features).tasks, 11u);
  EXPECT_THAT(error_of([&] { correlate(toy_routes(2), features); }), StartsWith("2: only 2 tasks"));
}

TEST(CorrelationReportTest, SaysHowManyTests) {
  const CorrelationReport report = correlate(toy_routes(12), toy_features(12));
  const std::string text = to_markdown(report);
  EXPECT_THAT(text, HasSubstr("6 tests"));
  EXPECT_THAT(text, HasSubstr("| odd "));
  EXPECT_THAT(text, HasSubstr("encoder 2, expert 2"));
  EXPECT_THAT(text, HasSubstr("Left out, the same for every task: all."));
  EXPECT_THAT(to_markdown(report, 1), HasSubstr("2 more not shown."));
  const Json json = to_json(report);
  EXPECT_EQ(json.at("found").size(), 3u);
  EXPECT_EQ(json.at("tests"), 6);
}

}  // namespace
}  // namespace trivium
