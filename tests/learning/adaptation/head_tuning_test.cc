#include "learning/adaptation/frozen_head.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "learning/adaptation/start.h"
#include "learning/adaptation/toy_task.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

FewShotSettings two_samples() {
  FewShotSettings settings;
  settings.seeds = {100, 13};
  settings.per_class = 16;
  return settings;
}

TEST(FrozenHeadTest, LearnsWhatTheVectorsTellApart) {
  const FewShotTask task = toy_few_shot_task();
  const Checkpoint checkpoint = tiny_checkpoint(1);
  const NamedTensors before = model_tensors(checkpoint.model);
  const FewShotResult result = adapt_frozen_head(checkpoint, task, two_samples());
  ASSERT_EQ(result.samples.size(), 2u);
  EXPECT_GE(result.mean(), 0.9);
  EXPECT_GE(result.samples[0].cells.at(0).dev_score, 0.9);
  EXPECT_EQ(result.samples[0].train_examples, 32u);
  EXPECT_DOUBLE_EQ(result.majority, 0.5);
  EXPECT_DOUBLE_EQ(result.start_score, result.majority);
  for (const auto& [name, tensor] : model_tensors(checkpoint.model)) {
    EXPECT_TRUE(torch::equal(tensor, before.at(name))) << name;
  }
  EXPECT_EQ(to_json(adapt_frozen_head(checkpoint, task, two_samples())), to_json(result));
}

// Whether two fields are equal cannot be seen from their vectors side by side, but from their
// difference.
TEST(FrozenHeadTest, APairIsKnownByItsDifferenceToo) {
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
  EXPECT_GE(adapt_frozen_head(tiny_checkpoint(1), task, two_samples()).mean(), 0.9);
}

TEST(FrozenHeadTest, OfARoutedCheckpointItReadsTheNearestTasksExperts) {
  const FewShotTask task = toy_few_shot_task();
  const Start start = make_start(tiny_checkpoint(3), StartKind::kFrozen, task, 1);
  EXPECT_FALSE(start.checkpoint.model->is_routed());
  EXPECT_GE(adapt_frozen_head(start.checkpoint, task, two_samples()).mean(), 0.9);
  EXPECT_EQ(make_start(tiny_checkpoint(1), StartKind::kFrozen, task, 1).route, "none");
}

TEST(FrozenHeadTest, RefusesATaskWithoutLabels) {
  FewShotTask task = toy_few_shot_task();
  task.task.labels.clear();
  try {
    adapt_frozen_head(tiny_checkpoint(1), task, two_samples());
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("moods has no fixed labels"), std::string::npos);
  }
}

}  // namespace
}  // namespace trivium::learning
