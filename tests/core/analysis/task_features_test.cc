#include "core/analysis/task_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

const std::filesystem::path kSource = TRIVIUM_SOURCE_DIR;

// A task with these train records, which no template of prompts/ knows.
Task task_of(std::vector<std::string> inputs, std::vector<std::string> labels,
             const std::vector<Json>& records) {
  Task task;
  task.name = "made_up";
  task.inputs = std::move(inputs);
  task.target = "target";
  task.labels = std::move(labels);
  for (const Json& record : records) task.records[Split::kTrain].push_back({record, "train:1"});
  return task;
}

std::set<std::string> features_of(const Task& task) {
  const PromptLibrary prompts(kSource / "prompts");
  const std::vector<bool> has = count_features(task, *prompts.templates_of(task).at(0));
  std::set<std::string> names;
  for (size_t f = 0; f < has.size(); ++f) {
    if (has[f]) names.insert(counted_features().at(f).first);
  }
  return names;
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += " word";
  return text.substr(1);
}

TEST(CountedFeaturesTest, KnowsAClassification) {
  const Task task = task_of({"text"}, {"good", "bad"},
                            {{{"text", words(20)}, {"target", "good"}},
                             {{"text", words(19)}, {"target", "bad"}},
                             {{"text", words(90)}, {"target", "bad"}}});
  EXPECT_THAT(features_of(task),
              UnorderedElementsAre("classification", "binary", "one_word_answer", "short_input"));
}

TEST(CountedFeaturesTest, KnowsManyLabelsPairsAndLongInputs) {
  const Task task = task_of({"a", "b"}, {"1 a", "2 a", "3 a", "4 a", "5 a", "6 a"},
                            {{{"a", words(58)}, {"b", words(4)}, {"target", "6 a"}}});
  EXPECT_THAT(features_of(task),
              UnorderedElementsAre("classification", "many_labels", "text_pair", "long_input"));
}

TEST(CountedFeaturesTest, KnowsMultipleChoice) {
  const Task task = task_of(
      {"question", "choices"}, {},
      {{{"question", "which one is red"}, {"choices", {"sky", "blood"}}, {"target", "blood"}},
       {{"question", "which one is blue"}, {"choices", {"sky", "sun"}}, {"target", "sky"}}});
  EXPECT_THAT(features_of(task), UnorderedElementsAre("multiple_choice", "extractive",
                                                      "one_word_answer", "short_input"));
}

TEST(CountedFeaturesTest, KnowsOpenAnswers) {
  EXPECT_THAT(
      features_of(task_of(
          {"q"}, {}, {{{"q", "2 + 2"}, {"target", "4"}}, {{"q", "1 + 1"}, {"target", "-2.5"}}})),
      UnorderedElementsAre("open_answer", "numeric_answer", "one_word_answer", "short_input"));
  EXPECT_THAT(features_of(task_of({"text"}, {},
                                  {{{"text", "Big red Barn in a field " + words(20)},
                                    {"target", "big red barn in"}}})),
              UnorderedElementsAre("open_answer", "generation", "extractive"));
}

TEST(HandLabelsTest, CoverEveryTaskThatHasAPrompt) {
  const HandLabels labels(kSource / "configs" / "task_features.toml");
  const PromptLibrary prompts(kSource / "prompts");
  ASSERT_GE(prompts.task_names().size(), 80u);
  for (const std::string& task : prompts.task_names()) EXPECT_TRUE(labels.covers(task)) << task;
  // Every feature tells some tasks from others.
  for (const auto& [feature, meaning] : labels.features()) {
    const auto names = prompts.task_names();
    const auto count = std::count_if(names.begin(), names.end(), [&](const std::string& task) {
      return labels.has(task, feature);
    });
    EXPECT_GE(count, 3) << feature;
    EXPECT_FALSE(meaning.empty()) << feature;
  }
  EXPECT_GE(labels.features().size() + counted_features().size(), 12u);
}

TEST(HandLabelsTest, RefusesWhatItDoesNotUnderstand) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    const auto path = folder.write("labels.toml", text);
    return error_of([&] { HandLabels labels(path); });
  };
  EXPECT_THAT(error("[features]\na = \"x\"\n[tasks]\nt = [\"b\"]\n"),
              ::testing::AllOf(StartsWith("64: "), HasSubstr("labels.toml:4")));
  EXPECT_THAT(error("[features]\na = 1\n[tasks]\n"), HasSubstr("must be a string"));
  EXPECT_THAT(error("[features]\na = \"x\"\n[tasks]\nt = \"a\"\n"), HasSubstr("must be a list"));
  EXPECT_THAT(error("[features]\n"), HasSubstr("[features] and [tasks]"));
  EXPECT_THAT(error("[features"), StartsWith("64: "));
  EXPECT_THAT(error_of([&] { HandLabels labels(folder.path() / "none.toml"); }),
              StartsWith("66: "));
}

TEST(TaskFeaturesTest, PutsCountedBeforeHandLabelled) {
  const TemporaryFolder folder;
  const HandLabels labels(folder.write(
      "labels.toml", "[features]\na = \"x\"\nb = \"y\"\n[tasks]\nmade_up = [\"b\"]\n"));
  const PromptLibrary prompts(kSource / "prompts");
  Task task = task_of({"q"}, {}, {{{"q", "1"}, {"target", "2"}}});
  const FeatureTable table = task_features({task}, prompts, labels);
  EXPECT_THAT(table.tasks, ElementsAre("made_up"));
  ASSERT_EQ(table.features.size(), counted_features().size() + 2);
  EXPECT_EQ(table.features[0].name, "classification");
  EXPECT_TRUE(table.features[0].is_counted);
  EXPECT_EQ(table.features.back().name, "b");
  EXPECT_EQ(table.features.back().count(), 1u);
  EXPECT_EQ(table.features[counted_features().size()].count(), 0u);
  task.name = "unknown";
  EXPECT_THAT(error_of([&] { task_features({task}, prompts, labels); }), StartsWith("64: "));
}

}  // namespace
}  // namespace trivium
