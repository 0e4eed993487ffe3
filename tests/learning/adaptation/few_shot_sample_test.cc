#include "learning/adaptation/few_shot_sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "learning/adaptation/toy_task.h"

namespace trivium::learning {
namespace {

std::map<std::string, int> label_counts(const std::vector<Example>& examples) {
  std::map<std::string, int> counts;
  for (const Example& example : examples) ++counts[example.targets.at(0)];
  return counts;
}

std::vector<std::string> inputs(const std::vector<Example>& examples) {
  std::vector<std::string> all;
  for (const Example& example : examples) all.push_back(example.input);
  return all;
}

// Every record's text its own number.
FewShotTask numbered_task(size_t records, std::vector<std::string> labels) {
  FewShotTask task = toy_few_shot_task(1);
  task.task.labels = std::move(labels);
  std::vector<Record>& train = task.task.records[Split::kTrain];
  train.clear();
  for (size_t i = 0; i < records; ++i) {
    train.push_back({{{"text", std::to_string(i)}, {"label", i % 4 == 0 ? "rare" : "common"}},
                     "train.jsonl:" + std::to_string(i)});
  }
  return task;
}

TEST(FewShotSampleTest, DrawsAsManyOfEachLabelWithoutOverlap) {
  const FewShotTask task = numbered_task(100, {"rare", "common"});
  const FewShotSample sample = draw_few_shot_sample(task, 5, 32, 100);
  const std::map<std::string, int> five = {{"rare", 5}, {"common", 5}};
  EXPECT_EQ(label_counts(sample.train), five);
  EXPECT_EQ(label_counts(sample.dev), five);
  std::set<std::string> distinct;
  for (const std::string& input : inputs(sample.train)) distinct.insert(input);
  for (const std::string& input : inputs(sample.dev)) distinct.insert(input);
  EXPECT_EQ(distinct.size(), 20u);
}

// As COPA's template answers with the text of the choice, which no two records share.
TEST(FewShotSampleTest, LabelsAreTheRecordsEvenWhereAnswersAreTheirOwnTexts) {
  FewShotTask task = numbered_task(100, {"rare", "common"});
  const TemplateSpec spec{
      "own", "{{text}}", "", {{"rare", "rarely {{text}}"}, {"common", "commonly {{text}}"}}};
  task.entry.prompt = std::make_shared<PromptTemplate>(spec, task.task, "test");
  const FewShotSample sample = draw_few_shot_sample(task, 5, 32, 100);
  EXPECT_EQ(sample.train.size(), 10u);
  EXPECT_EQ(sample.dev.size(), 10u);
  EXPECT_EQ(label_counts(sample.train).size(), 10u);
}

TEST(FewShotSampleTest, OpenTasksHaveATotal) {
  const FewShotSample sample = draw_few_shot_sample(numbered_task(100, {}), 5, 32, 13);
  EXPECT_EQ(sample.train.size(), 32u);
  EXPECT_EQ(sample.dev.size(), 32u);
}

TEST(FewShotSampleTest, TheSeedDecides) {
  const FewShotTask task = numbered_task(100, {});
  const auto draw = [&](uint64_t seed) {
    return inputs(draw_few_shot_sample(task, 5, 8, seed).train);
  };
  EXPECT_EQ(draw(21), draw(21));
  EXPECT_NE(draw(21), draw(42));
}

TEST(FewShotSampleTest, SharesWhatThereIs) {
  // 4 records are rare: 2 to learn from, 2 to choose by.
  const FewShotSample sample =
      draw_few_shot_sample(numbered_task(16, {"rare", "common"}), 5, 32, 100);
  EXPECT_EQ(label_counts(sample.train), (std::map<std::string, int>{{"rare", 2}, {"common", 5}}));
  EXPECT_EQ(label_counts(sample.dev), (std::map<std::string, int>{{"rare", 2}, {"common", 5}}));
  try {
    draw_few_shot_sample(numbered_task(1, {}), 5, 32, 100);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
  }
}

TEST(FewShotSampleTest, ATaskThatIsASampleIsTakenAsItIs) {
  FewShotTask task = numbered_task(6, {"rare", "common"});
  task.task.sample_seed = 13;
  task.task.records[Split::kDev] = {{{{"text", "dev"}, {"label", "rare"}}, "dev.tsv:1"}};
  const FewShotSample sample = draw_few_shot_sample(task, 1, 1, 100);
  EXPECT_EQ(sample.seed, 13u);
  EXPECT_EQ(inputs(sample.train), (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(inputs(sample.dev), std::vector<std::string>{"dev"});
}

}  // namespace
}  // namespace trivium::learning
