#include "core/evaluation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trivium {
namespace {

using ::testing::HasSubstr;

ReportRow row(const std::string& task, const std::string& family, double score, double majority) {
  ReportRow row{family, "own", {}};
  row.score.task = task;
  row.score.metric = "accuracy";
  row.score.score = score;
  row.score.interval = {score - 0.1, score + 0.1};
  row.score.majority = majority;
  row.score.examples = 20;
  return row;
}

Report report_of_three() {
  Report report;
  report.add(row("sst2", "sentiment", 0.9, 0.5));
  report.add(row("mnli", "nli", 0.4, 0.4));
  report.add(row("imdb", "sentiment", 0.7, 0.8));
  return report;
}

TEST(ReportTest, SortsByFamilyThenTask) {
  const Report report = report_of_three();
  ASSERT_EQ(report.rows().size(), 3u);
  EXPECT_EQ(report.rows()[0].score.task, "mnli");
  EXPECT_EQ(report.rows()[1].score.task, "imdb");
  EXPECT_EQ(report.rows()[2].score.task, "sst2");
}

TEST(ReportTest, MeansAndCounts) {
  const Report report = report_of_three();
  EXPECT_NEAR(report.mean(), 2.0 / 3, 1e-12);
  EXPECT_NEAR(report.mean_of_families(), (0.4 + 0.8) / 2, 1e-12);
  EXPECT_EQ(report.above_majority(), 1u);  // as good as the majority is not above it
  EXPECT_EQ(Report().mean(), 0);
}

TEST(ReportTest, TheTextsColumnsStandBelowEachOther) {
  const std::string text = report_of_three().to_text();
  EXPECT_EQ(text,
            "task  family     metric     score    95 % interval  majority   margin   n  route\n"
            "mnli  nli        accuracy  0.4000  0.3000 – 0.5000    0.4000  +0.0000  20  own\n"
            "imdb  sentiment  accuracy  0.7000  0.6000 – 0.8000    0.8000  -0.1000  20  own\n"
            "sst2  sentiment  accuracy  0.9000  0.8000 – 1.0000    0.5000  +0.4000  20  own\n"
            "\n"
            "mean of 3 tasks: 0.6667; mean of 2 families: 0.6000; above majority: 1 of 3\n");
}

TEST(ReportTest, MarkdownIsATable) {
  const std::string text = report_of_three().to_markdown();
  EXPECT_THAT(text,
              HasSubstr("| ---- | --------- | -------- | -----: | --------------: | -------: | "
                        "------: | --: | ----- |\n"
                        "| mnli | nli       | accuracy | 0.4000 | 0.3000 – 0.5000 |"));
}

TEST(ReportTest, JsonHasTheNumbersUnrounded) {
  const Json json = report_of_three().to_json();
  EXPECT_EQ(json.at("tasks").at(1).at("margin").get<double>(), 0.7 - 0.8);
  EXPECT_EQ(json.at("families").at("nli"), 0.4);
  EXPECT_EQ(json.at("above_majority"), 1);
}

}  // namespace
}  // namespace trivium
