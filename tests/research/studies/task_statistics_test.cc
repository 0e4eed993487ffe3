#include "research/studies/task_statistics.h"

#include <gtest/gtest.h>

namespace trivium::research {
namespace {

MethodRun run_of(const std::string& method, int64_t seed, double a, double b) {
  MethodRun run;
  run.method = method;
  run.seed = seed;
  run.seen = {{"a", "f", "accuracy", a, 0.1}, {"b", "g", "em", b, 0.2}};
  run.few_shot = {{"c", "f", {a, b}}};
  return run;
}

TEST(TaskStatistics, ScoresAreGatheredOverSeedsAndSamples) {
  const std::vector<MethodRun> runs = {run_of("x", 1, 0.5, 0.7), run_of("y", 1, 0, 0),
                                       run_of("x", 2, 0.3, 0.9)};
  const MethodScores seen = scores_of(runs, "x", ScorePart::kSeen);
  ASSERT_EQ(seen.tasks.size(), 2u);
  EXPECT_EQ(seen.tasks[0].task, "a");
  EXPECT_EQ(seen.tasks[0].scores, (std::vector<double>{0.5, 0.3}));
  const MethodScores few = scores_of(runs, "x", ScorePart::kFewShot);
  ASSERT_EQ(few.tasks.size(), 1u);
  EXPECT_EQ(few.tasks[0].scores, (std::vector<double>{0.5, 0.7, 0.3, 0.9}));
  EXPECT_TRUE(scores_of(runs, "x", ScorePart::kZeroShot).tasks.empty());
}

TEST(TaskStatistics, MeanAndItsIntervalAreOverTasks) {
  // Four tasks of 0 and four of 1: a resample's mean is binomial(8, 1/2) / 8, whose 2.5 and 97.5 %
  // quantiles are 1/8 and 7/8.
  MethodScores scores{"x", {}};
  for (int i = 0; i < 8; ++i) {
    scores.tasks.push_back({"t" + std::to_string(i), {i % 2 ? 1.0 : 0.0}});
  }
  const Estimate estimate = mean_over_tasks(scores, 20000);
  EXPECT_EQ(estimate.tasks, 8u);
  EXPECT_DOUBLE_EQ(estimate.value, 0.5);
  EXPECT_DOUBLE_EQ(estimate.interval.low, 0.125);
  EXPECT_DOUBLE_EQ(estimate.interval.high, 0.875);
  EXPECT_EQ(mean_over_tasks({"none", {}}).tasks, 0u);
}

TEST(TaskStatistics, DifferencesArePairedByTask) {
  const MethodScores method{"m", {{"a", {0.9}}, {"b", {0.5, 0.7}}, {"only", {1}}}};
  const MethodScores base{"n", {{"a", {0.8}}, {"b", {0.5}}, {"other", {0}}}};
  const Estimate difference = mean_difference(method, base);
  EXPECT_EQ(difference.tasks, 2u);
  EXPECT_NEAR(difference.value, 0.1, 1e-12);
  // Both tasks differ by the same 0.1, so no resample differs by anything else.
  EXPECT_NEAR(difference.interval.low, 0.1, 1e-12);
  EXPECT_NEAR(difference.interval.high, 0.1, 1e-12);
}

TEST(MethodRunJson, RoundTripsAndRefuses) {
  MethodRun run = run_of("x", 3, 0.25, 0.75);
  run.zero_shot_ranked = {{"c", "f", "accuracy", 0.5, 0.5}};
  run.templates = {{"c", {0.1, 0.2}}};
  run.training_flops = 3e9;
  const Json json = to_json(run);
  EXPECT_EQ(to_json(method_run_from_json(json, "here")), json);
  Json broken = json;
  broken["seen"][0].erase("score");
  EXPECT_THROW(method_run_from_json(broken, "here"), Error);
}

}  // namespace
}  // namespace trivium::research
