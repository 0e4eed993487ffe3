#include "learning/examples/labelled_task.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

Task described(std::vector<std::string> inputs, std::vector<std::string> labels,
               std::vector<Json> train, const std::string& metric = "accuracy") {
  Task task;
  task.name = "made_up";
  task.inputs = std::move(inputs);
  task.labels = std::move(labels);
  task.target = "label";
  task.metric = metric;
  int line = 0;
  for (Json& fields : train) {
    task.records[Split::kTrain].push_back(
        {std::move(fields), "train.jsonl:" + std::to_string(++line)});
  }
  return task;
}

std::vector<LabelledRecord> records_of(const Task& task) {
  return labelled_task(task).records.at(Split::kTrain);
}

TEST(LabelledTask, SingleText) {
  const Task task = described({"text"}, {"bad", "good"}, {{{"text", " fine "}, {"label", "good"}}});
  const LabelledTask labelled = labelled_task(task);
  EXPECT_EQ(labelled.info.kind, AnswerKind::kLabel);
  EXPECT_EQ(labelled.info.outputs(), 2);
  const LabelledRecord& record = labelled.records.at(Split::kTrain).at(0);
  EXPECT_EQ(record.first, "fine");
  EXPECT_EQ(record.second, "");
  EXPECT_EQ(record.label, 1);
}

TEST(LabelledTask, OfThreeTextsThePassageIsCutFirst) {
  const LabelledRecord record = records_of(
      described({"passage", "question", "answer"}, {"false", "true"},
                {{{"passage", "P"}, {"question", "Q"}, {"answer", "A"}, {"label", "false"}}}))[0];
  EXPECT_EQ(record.first, "Q P");
  EXPECT_EQ(record.second, "A");
  EXPECT_EQ(record.label, 0);
}

TEST(LabelledTask, NumbersMayBeTexts) {
  const Task task = described({"sentence1", "sentence2"}, {},
                              {{{"sentence1", "a"}, {"sentence2", "b"}, {"label", 2.5}},
                               {{"sentence1", "a"}, {"sentence2", "b"}, {"label", "4"}}},
                              "pearson_spearman");
  EXPECT_EQ(labelled_task_info(task).outputs(), 1);
  EXPECT_EQ(records_of(task)[0].value, 2.5);
  EXPECT_EQ(records_of(task)[1].value, 4);
}

TEST(LabelledTask, AChoiceIsAPairEach) {
  const Task task = described({"premise", "question", "choice1", "choice2"}, {"choice1", "choice2"},
                              {{{"premise", "It rained."},
                                {"question", "effect"},
                                {"choice1", "Dry."},
                                {"choice2", "Wet."},
                                {"label", "choice2"}},
                               {{"premise", "p"},
                                {"question", "cause"},
                                {"choice1", "x"},
                                {"choice2", "y"},
                                {"label", "choice1"}}});
  EXPECT_EQ(labelled_task_info(task).kind, AnswerKind::kChoice);
  EXPECT_EQ(labelled_task_info(task).outputs(), 2);
  const std::vector<LabelledRecord> records = records_of(task);
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[1].first, "It rained. effect");
  EXPECT_EQ(records[1].second, "Wet.");
  EXPECT_EQ(records[0].label, 0);
  EXPECT_EQ(records[1].label, 1);
  EXPECT_EQ(records[0].group, records[1].group);
  EXPECT_NE(records[1].group, records[2].group);
}

TEST(LabelledTask, WordPairsKeepTheirWord) {
  const Task task =
      described({"word", "sentence1", "sentence2"}, {"different", "same"},
                {{{"word", "pull"}, {"sentence1", "a"}, {"sentence2", "b"}, {"label", "same"}}});
  EXPECT_EQ(labelled_task_info(task).kind, AnswerKind::kWordPair);
  EXPECT_EQ(records_of(task)[0].word, "pull");
}

TEST(LabelledTask, WhatNoClassifierCanLearnIsAnError) {
  EXPECT_THROW(labelled_task(described({"text"}, {}, {})), Error);
  EXPECT_THROW(records_of(described({"text"}, {"a"}, {{{"text", "x"}, {"label", "b"}}})), Error);
  EXPECT_THROW(
      records_of(described({"text"}, {"a"}, {{{"text", Json::array({"x"})}, {"label", "a"}}})),
      Error);
}

}  // namespace
}  // namespace trivium::learning
