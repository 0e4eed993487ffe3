#include "learning/training/classifier_training.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/base/log_lines.h"
#include "core/base/rng.h"
#include "learning/reference/classifier_scores.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

std::filesystem::path tiny_bert() { return std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert"; }

// Task 0: is the first letter before "d"? Task 1: how many ids has the text, less 5, over 4?
std::vector<LabelledTaskInfo> toy_tasks() {
  return {{"letter", "", "accuracy", AnswerKind::kLabel, {"late", "early"}},
          {"length", "", "spearman", AnswerKind::kNumber, {}}};
}

std::vector<LabelledExample> toy_examples_of(int64_t task, size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<LabelledExample> examples;
  for (size_t i = 0; i < count; ++i) {
    LabelledExample example;
    example.task = task;
    example.ids = {2};
    for (uint64_t n = 2 + rng.below(5); n > 0; --n) {
      example.ids.push_back(5 + static_cast<int32_t>(rng.below(6)));
    }
    example.ids.push_back(3);
    example.second = static_cast<int64_t>(example.ids.size());
    example.label = example.ids[1] < 8;
    example.value = (static_cast<double>(example.ids.size()) - 5) / 4;
    example.group = static_cast<int64_t>(i);
    examples.push_back(example);
  }
  return examples;
}

ClassifierSettings toy_settings(int64_t num_experts) {
  ClassifierSettings settings;
  settings.init = tiny_bert().string();
  settings.num_experts = num_experts;
  settings.step.learning_rate = 2e-3;
  settings.step.precision = Precision::kFloat32;
  settings.step.dropout = settings.step.attention_dropout = 0;
  return settings;
}

ClassifierTrainerOptions toy_options_of(const ClassifierSettings& settings, int64_t steps) {
  ClassifierTrainerOptions options;
  options.optimiser = settings.step.optimiser(steps, 1);
  options.batch_tokens = 256;
  options.batch_examples = 32;
  return options;
}

class ClassifierOfExperts : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(DenseAndGated, ClassifierOfExperts, testing::Values(1, 3));

TEST_P(ClassifierOfExperts, LearnsTwoTasksAtOnce) {
  const ClassifierSettings settings = toy_settings(GetParam());
  ClassifierCheckpoint checkpoint = new_classifier(settings, toy_tasks());
  std::vector<LabelledExample> examples = toy_examples_of(0, 96, 1);
  for (const LabelledExample& example : toy_examples_of(1, 96, 2)) examples.push_back(example);
  ClassifierTrainer trainer(checkpoint, examples, toy_options_of(settings, 80));
  double first = 0, last = 0;
  while (!trainer.done()) {
    const ClassifierTrainer::StepResult result = trainer.step();
    if (trainer.steps_done() <= 5) first += result.loss / 5;
    if (trainer.steps_done() > 75) last += result.loss / 5;
  }
  EXPECT_LT(last, first / 2);
  EXPECT_GT(score_classifier(checkpoint, 0, toy_examples_of(0, 64, 3), "accuracy", false, 0).score,
            0.9);
  EXPECT_GT(score_classifier(checkpoint, 1, toy_examples_of(1, 64, 4), "spearman", false, 0).score,
            0.8);
}

TEST(ClassifierTrainer, GatesLearnThroughTheScaleOnly) {
  for (const GateScale scale :
       {GateScale::kProbability, GateScale::kStraightThrough, GateScale::kNone}) {
    ClassifierSettings settings = toy_settings(3);
    settings.gate_scale = scale;
    ClassifierCheckpoint checkpoint = new_classifier(settings, toy_tasks());
    const torch::Tensor before = checkpoint.model->token_gates()[0]->weights().clone();
    ClassifierTrainer trainer(checkpoint, toy_examples_of(0, 32, 1), toy_options_of(settings, 10));
    for (int i = 0; i < 3; ++i) trainer.step();
    const torch::Tensor after = checkpoint.model->token_gates()[0]->weights();
    EXPECT_EQ(max_difference(before[0], after[0]) > 1e-5, scale != GateScale::kNone)
        << name_in(gate_scale_names(), scale);
    EXPECT_EQ(max_difference(before[1], after[1]), 0);  // no example of task 1
  }
}

void expect_same_parameters(const ClassifierCheckpoint& a, const ClassifierCheckpoint& b) {
  const auto others = b.model->named_parameters();
  for (const auto& item : a.model->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), others[item.key()])) << item.key();
  }
}

TEST(ClassifierTrainer, AResumedTrainingIsTheUnbrokenOne) {
  ClassifierSettings settings = toy_settings(3);
  settings.step.dropout = settings.step.attention_dropout = 0.1;
  ClassifierTrainerOptions options = toy_options_of(settings, 12);
  options.shares = TaskShares::kUniformThenNatural;  // its two samplers have two places
  std::vector<LabelledExample> examples = toy_examples_of(0, 96, 1);
  for (const LabelledExample& example : toy_examples_of(1, 48, 2)) examples.push_back(example);

  ClassifierCheckpoint whole = new_classifier(settings, toy_tasks());
  ClassifierTrainer unbroken(whole, examples, options);
  while (!unbroken.done()) unbroken.step();

  for (const int64_t stop : {4, 11}) {
    TemporaryFolder folder;
    {
      ClassifierCheckpoint begun = new_classifier(settings, toy_tasks());
      ClassifierTrainer trainer(begun, examples, options);
      while (trainer.steps_done() < stop) trainer.step();
      trainer.save_snapshot(folder.path() / "model");
    }
    torch::rand({100});  // another program's start
    ClassifierCheckpoint resumed = new_classifier(settings, toy_tasks());
    ClassifierTrainer trainer(resumed, examples, options);
    trainer.resume(folder.path() / "model");
    EXPECT_EQ(trainer.steps_done(), stop);
    while (!trainer.done()) trainer.step();
    expect_same_parameters(resumed, whole);
    EXPECT_EQ(trainer.last_loss(), unbroken.last_loss());
  }
}

TEST(ClassifierTrainer, RefusesTheSnapshotOfAnotherTraining) {
  const ClassifierSettings settings = toy_settings(1);
  const std::vector<LabelledExample> examples = toy_examples_of(0, 32, 1);
  TemporaryFolder folder;
  ClassifierCheckpoint checkpoint = new_classifier(settings, toy_tasks());
  ClassifierTrainer(checkpoint, examples, toy_options_of(settings, 4))
      .save_snapshot(folder.path() / "model");
  const auto code_of = [&](ClassifierCheckpoint other, ClassifierTrainerOptions options,
                           const std::filesystem::path& path) {
    ClassifierTrainer trainer(other, examples, options);
    try {
      trainer.resume(path);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kOk;
  };
  const ClassifierTrainerOptions options = toy_options_of(settings, 4);
  EXPECT_EQ(code_of(checkpoint, options, folder.path() / "model"), ExitCode::kOk);
  EXPECT_EQ(code_of(checkpoint, options, folder.path()), ExitCode::kMissingInput);
  EXPECT_EQ(code_of(new_classifier(toy_settings(3), toy_tasks()), options, folder.path() / "model"),
            ExitCode::kConfig);
  ClassifierTrainerOptions two_samplers = options;
  two_samplers.shares = TaskShares::kUniformThenNatural;
  EXPECT_EQ(code_of(checkpoint, two_samplers, folder.path() / "model"), ExitCode::kBadModel);
}

TEST(ClassifierTrainer, AFinishedTrainingIsResumedAsItsEnd) {
  const ClassifierSettings settings = toy_settings(1);
  const std::vector<LabelledExample> examples = toy_examples_of(0, 32, 1);
  TemporaryFolder folder;
  const auto path = folder.path() / "model";
  ClassifierTrainerOptions options = toy_options_of(settings, 2);
  options.record = {{"settings", {{"train.seed", 1}}}, {"start", "s"}, {"data", "d"}};
  ClassifierCheckpoint trained = new_classifier(settings, toy_tasks());
  {
    ClassifierTrainer trainer(trained, examples, options);
    while (!trainer.done()) trainer.step();
    trainer.save_finished(path);
  }
  ClassifierCheckpoint resumed = new_classifier(settings, toy_tasks());
  ClassifierTrainer same(resumed, examples, options);
  same.resume(path);
  EXPECT_TRUE(same.done());
  expect_same_parameters(resumed, trained);
  options.record["settings"]["train.seed"] = 2;
  ClassifierTrainer other(resumed, examples, options);
  EXPECT_EQ(error_of([&] { other.resume(path); }).substr(0, 3), "73:");
}

TEST(ClassifierTrainer, NamesTheTaskWhoseLossIsNoNumber) {
  const ClassifierSettings settings = toy_settings(1);
  ClassifierCheckpoint checkpoint = new_classifier(settings, toy_tasks());
  std::vector<LabelledExample> examples = toy_examples_of(0, 8, 1);
  for (LabelledExample& example : toy_examples_of(1, 8, 2)) {
    example.value = std::numeric_limits<double>::infinity();
    examples.push_back(example);
  }
  ClassifierTrainerOptions options = toy_options_of(settings, 9);
  options.optimiser.max_skipped = 1;
  const LogLines log;
  ClassifierTrainer trainer(checkpoint, examples, options);
  EXPECT_TRUE(trainer.step().skipped);
  ASSERT_EQ(log.with("is skipped").size(), 1u);
  EXPECT_NE(log.with("is skipped")[0].find("the loss of task length is not finite"),
            std::string::npos)
      << log.with("is skipped")[0];
  EXPECT_EQ(error_of([&] { trainer.step(); }).substr(0, 3), "70:");
}

TEST(ClassifierTrainer, UniformThenNaturalChangesTheShares) {
  const ClassifierSettings settings = toy_settings(1);
  // 180 examples of 10 ids and 20 of 4: a mean of 7 ids where the tasks have equal shares, of 9.4
  // where each has its own.
  std::vector<LabelledExample> examples;
  for (size_t i = 0; i < 200; ++i) {
    LabelledExample example;
    example.task = i < 180 ? 0 : 1;
    example.ids.assign(i < 180 ? 10 : 4, 7);
    example.second = static_cast<int64_t>(example.ids.size());
    examples.push_back(example);
  }
  ClassifierTrainerOptions options = toy_options_of(settings, 28);
  options.shares = TaskShares::kUniformThenNatural;
  options.uniform_share = 0.5;
  ClassifierCheckpoint checkpoint = new_classifier(settings, toy_tasks());
  ClassifierTrainer trainer(checkpoint, examples, options);
  double mean[2];
  for (double& half : mean) {
    double tokens = 0, count = 0;
    for (int i = 0; i < 14; ++i) {
      const ClassifierTrainer::StepResult result = trainer.step();
      tokens += static_cast<double>(result.tokens);
      count += static_cast<double>(result.examples);
    }
    half = tokens / count;
  }
  // About two epochs each, so a last part of an epoch may be missing.
  EXPECT_NEAR(mean[0], 7, 0.7);
  EXPECT_NEAR(mean[1], 9.4, 0.4);
}

TEST(FineTune, KeepsTheBestEpochsWeights) {
  const ClassifierSettings settings = toy_settings(1);
  const ClassifierCheckpoint original = new_classifier(settings, toy_tasks());
  ClassifierCheckpoint checkpoint = single_task_copy(original, toy_tasks()[0], {}, 1);
  const FineTuneData data{toy_examples_of(0, 64, 1), toy_examples_of(0, 40, 2), "accuracy"};
  const auto result = fine_tune(checkpoint, data, toy_options_of(settings, 0), 6, nullptr);
  ASSERT_TRUE(result);
  EXPECT_GE(result->best_epoch, 1);
  EXPECT_LE(result->best_epoch, 6);
  EXPECT_EQ(score_classifier(checkpoint, 0, data.dev, "accuracy", false, 0).score,
            result->dev_score);
  const std::atomic<bool> stop = true;
  EXPECT_FALSE(fine_tune(checkpoint, data, toy_options_of(settings, 0), 6, &stop));
}

}  // namespace
}  // namespace trivium::learning
