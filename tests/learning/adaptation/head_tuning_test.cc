#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/added_task.h"
#include "core/inference/loaded_model.h"
#include "learning/adaptation/few_shot_head.h"
#include "learning/adaptation/new_task.h"
#include "learning/adaptation/start.h"
#include "learning/adaptation/toy_task.h"
#include "learning/reference/fixed_route.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

FewShotSettings two_samples() {
  FewShotSettings settings;
  settings.seeds = {100, 13};
  settings.per_class = 16;
  settings.optimiser.steps = 0;
  return settings;
}

std::vector<const Record*> records_of(const FewShotTask& task, Split split) {
  std::vector<const Record*> records;
  for (const Record& record : task.task.records.at(split)) records.push_back(&record);
  return records;
}

TEST(HeadTuningTest, LearnsWhatTheVectorsTellApart) {
  const FewShotTask task = toy_few_shot_task();
  const Checkpoint checkpoint = tiny_checkpoint(1);
  const NamedTensors before = model_tensors(checkpoint.model);
  const FewShotResult result = adapt_head(checkpoint, task, two_samples());
  ASSERT_EQ(result.samples.size(), 2u);
  EXPECT_GE(result.mean(), 0.9);
  EXPECT_GE(result.samples[0].cells.at(0).dev_score, 0.9);
  EXPECT_EQ(result.samples[0].train_examples, 32u);
  EXPECT_DOUBLE_EQ(result.majority, 0.5);
  EXPECT_DOUBLE_EQ(result.start_score, result.majority);
  for (const auto& [name, tensor] : model_tensors(checkpoint.model)) {
    EXPECT_TRUE(torch::equal(tensor, before.at(name))) << name;
  }
  EXPECT_EQ(to_json(adapt_head(checkpoint, task, two_samples())), to_json(result));
}

// Whether two fields are equal cannot be seen from their vectors side by side, but from their
// difference.
TEST(HeadTuningTest, APairIsKnownByItsDifferenceToo) {
  FewShotTask task = toy_few_shot_task();
  task.task.inputs = {"text", "other"};
  for (auto& [split, records] : task.task.records) {
    for (size_t i = 0; i < records.size(); ++i) {
      const std::string text = records[i].fields.at("text").get<std::string>();
      const bool equal = i % 4 < 2;
      records[i].fields["other"] = equal ? text : "k l m";
      records[i].fields["label"] = equal ? "positive" : "negative";
    }
  }
  task.test = make_evaluation_task(task.task, *task.entry.prompt, Split::kTest);
  EXPECT_GE(adapt_head(tiny_checkpoint(1), task, two_samples()).mean(), 0.9);
}

TEST(HeadTuningTest, OfARoutedCheckpointItReadsTheNearestTasksExperts) {
  const FewShotTask task = toy_few_shot_task();
  const Start start = make_start(tiny_checkpoint(3), StartKind::kFrozen, task, 1);
  EXPECT_FALSE(start.checkpoint.model->is_routed());
  EXPECT_GE(adapt_head(start.checkpoint, task, two_samples()).mean(), 0.9);
  EXPECT_EQ(make_start(tiny_checkpoint(1), StartKind::kFrozen, task, 1).route, "none");
}

TEST(HeadTuningTest, RefusesATaskWithoutLabels) {
  FewShotTask task = toy_few_shot_task();
  task.task.labels.clear();
  try {
    adapt_head(tiny_checkpoint(1), task, two_samples());
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("moods has no fixed labels"), std::string::npos);
  }
}

// A label by the order of two words that both texts have, which no vector of an untrained encoder
// tells apart.
FewShotTask ordered_words() {
  FewShotTask task = toy_few_shot_task();
  Rng rng(9);
  for (auto& [split, records] : task.task.records) {
    for (size_t i = 0; i < records.size(); ++i) {
      const std::string filler(1, static_cast<char>('c' + rng.below(6)));
      const bool first = i % 2 == 0;
      records[i].fields["text"] = first ? "a b " + filler : "b a " + filler;
      records[i].fields["label"] = first ? "positive" : "negative";
    }
  }
  task.test = make_evaluation_task(task.task, *task.entry.prompt, Split::kTest);
  return task;
}

TEST(HeadTuningTest, TheEncoderLearnsWhatItDidNotTellApart) {
  const FewShotTask task = ordered_words();
  const Checkpoint dense = tiny_checkpoint(1);
  const LabelledTexts train = labelled_texts(task.entry, records_of(task, Split::kTrain));
  const LabelledTexts test = labelled_texts(task.entry, records_of(task, Split::kTest));
  HeadSettings settings;
  settings.steps = 150;
  settings.learning_rate = 1e-2;
  const TunedHead tuned = tune_head(dense, task.task.labels, 1, train, test, settings);
  EXPECT_GE(tuned.dev_score, 0.9);
  EXPECT_GE(tuned.dev_score, tuned.frozen_score);
  const TunedHead again = tune_head(dense, task.task.labels, 1, train, test, settings);
  EXPECT_EQ(again.step, tuned.step);
  ASSERT_EQ(again.differences.size(), tuned.differences.size());
  for (const auto& [name, tensor] : tuned.differences) {
    EXPECT_TRUE(name.starts_with("encoder.layers.")) << name;
    EXPECT_TRUE(torch::equal(tensor, again.differences.at(name))) << name;
  }
}

// What was learned is what the engine answers with, of one field and of two.
TEST(HeadTuningTest, TheEngineAnswersWithWhatWasLearned) {
  for (const int64_t parts : {1, 2}) {
    FewShotTask task = ordered_words();
    if (parts == 2) {
      task.task.inputs = {"text", "other"};
      for (auto& [split, records] : task.task.records) {
        for (Record& record : records) record.fields["other"] = "c d";
      }
    }
    const TaskEntry entry = plain_entry(task.task, "", AnswersBy::kHead);
    const TemporaryFolder temporary;
    const Checkpoint checkpoint = tiny_checkpoint(3);
    save_checkpoint(checkpoint, temporary.path() / "model");
    const OpenCheckpoint open = open_checkpoint(temporary.path() / "model");
    TaskRoute route = main_experts_only(open.route(0));
    HeadSettings settings;
    settings.steps = 20;
    const LabelledTexts train = labelled_texts(entry, records_of(task, Split::kTrain));
    const TunedHead tuned = tune_head(squeeze(checkpoint, route), task.task.labels,
                                      head_parts(task.task), train, {}, settings);
    EXPECT_EQ(tuned.step, 20) << "nothing to choose by: all steps";
    EXPECT_EQ(tuned.head.parts, parts);
    route.head = std::make_shared<const LabelHead>(tuned.head);
    save_added_task(temporary.path() / "model", open, entry, route, as_host(tuned.differences));
    LoadedModel loaded(temporary.path() / "model", EngineOptions());
    const std::vector<int64_t> classes = predict_labels(tuned, train.prompts, 128);
    std::vector<Prompt> prompts;
    for (const Record* record : records_of(task, Split::kTrain)) {
      prompts.push_back(loaded.resolve_fields("moods", record->fields).prompt);
    }
    const std::vector<Answer> answers = loaded.generator().generate(prompts, SearchOptions());
    for (size_t i = 0; i < answers.size(); ++i) {
      EXPECT_EQ(answers[i].text, task.task.labels[static_cast<size_t>(classes[i])]) << i;
    }
  }
}

}  // namespace
}  // namespace trivium::learning
