#include "learning/adaptation/few_shot.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "learning/adaptation/start.h"
#include "learning/adaptation/toy_task.h"
#include "learning/model/model_routes.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

FewShotSettings quick_settings() {
  FewShotSettings settings;
  settings.seeds = {100};
  settings.per_class = 8;
  settings.learning_rates = {3e-3};
  settings.batch_sizes = {4};
  settings.eval_every = 20;
  settings.max_target_length = 12;
  settings.mode = EvaluationMode::kRanking;
  settings.optimiser.steps = 60;
  settings.optimiser.clip = 1;
  settings.optimiser.dropout = 0;
  return settings;
}

// Of the shape of a trained model, not of the tests' loud one.
Checkpoint quiet_checkpoint(int64_t num_experts) {
  Checkpoint checkpoint = tiny_checkpoint(num_experts);
  checkpoint.model->init_weights(5);
  torch::NoGradGuard no_grad;
  for (auto& item : checkpoint.model->named_parameters()) {
    const bool is_matrix = item.value().dim() == 2;
    if (is_matrix && !item.key().starts_with("task_vectors")) item.value().mul_(0.4);
  }
  return checkpoint;
}

bool same_weights(const Checkpoint& a, const Checkpoint& b) {
  const NamedTensors tensors_a = model_tensors(a.model), tensors_b = model_tensors(b.model);
  for (const auto& [name, tensor] : tensors_a) {
    if (!torch::equal(tensor, tensors_b.at(name))) return false;
  }
  return tensors_a.size() == tensors_b.size();
}

TEST(FewShotTest, LearnsATaskFromAFewExamples) {
  const FewShotTask task = toy_few_shot_task();
  const FewShotResult result = adapt_to_task(quiet_checkpoint(1), task, quick_settings());
  ASSERT_EQ(result.samples.size(), 1u);
  EXPECT_GE(result.mean(), 0.9);
  EXPECT_LE(result.start_score, 0.7);
  EXPECT_EQ(result.samples[0].train_examples, 16u);
  EXPECT_EQ(result.samples[0].cells[0].step % 20, 0);
}

TEST(FewShotTest, ARoutedStartMovesOnlyTheExpertsOnItsRoute) {
  const FewShotTask task = toy_few_shot_task();
  const Start start = make_start(quiet_checkpoint(3), StartKind::kRouted, task, 1);
  FewShotSettings settings = quick_settings();
  settings.optimiser.steps = 3;
  settings.eval_every = 3;
  const FewShotSample sample = draw_few_shot_sample(task, 8, 32, 100);
  const TunedModel tuned = tune(start.checkpoint, task, sample, 1e-3, 4, settings);
  Seq2SeqModel before = start.checkpoint.model, after = tuned.checkpoint.model;
  const TaskRoute route = route_of_task(before, 0, 1.0);
  EXPECT_EQ(route, route_of_task(after, 0, 1.0));
  const NamedTensors old = model_tensors(before), fresh = model_tensors(after);
  for (int64_t e = 0; e < 3; ++e) {
    const std::string name = "decoder.layers.1.experts." + std::to_string(e) + ".fc1.weight";
    const bool taken = e == TaskRoute::main_expert(route.decoder[1]);
    EXPECT_EQ(torch::equal(old.at(name), fresh.at(name)), !taken) << name;
  }
}

TEST(FewShotTest, RoutedAndSqueezedStartsAreTunedAlike) {
  const FewShotTask task = toy_few_shot_task();
  const Checkpoint checkpoint = quiet_checkpoint(3);
  FewShotSettings settings = quick_settings();
  settings.optimiser.steps = 5;
  settings.eval_every = 5;
  const FewShotSample sample = draw_few_shot_sample(task, 8, 32, 100);
  const auto embeddings = [&](StartKind kind) {
    const Start start = make_start(checkpoint, kind, task, 1);
    return tune(start.checkpoint, task, sample, 1e-3, 4, settings)
        .checkpoint.model->shared_weight();
  };
  EXPECT_TRUE(
      torch::allclose(embeddings(StartKind::kRouted), embeddings(StartKind::kSqueezed), 0, 1e-5));
}

TEST(FewShotTest, CellsAreIndependentOfTheirOrder) {
  const FewShotTask task = toy_few_shot_task();
  const Checkpoint start = quiet_checkpoint(1);
  FewShotSettings settings = quick_settings();
  settings.optimiser.steps = 10;
  settings.optimiser.dropout = 0.1;
  settings.eval_every = 5;
  const FewShotSample sample = draw_few_shot_sample(task, 8, 32, 100);
  const TunedModel first = tune(start, task, sample, 1e-3, 4, settings);
  tune(start, task, sample, 3e-3, 2, settings);
  const TunedModel again = tune(start, task, sample, 1e-3, 4, settings);
  EXPECT_TRUE(same_weights(first.checkpoint, again.checkpoint));
  EXPECT_EQ(first.cell.dev_score, again.cell.dev_score);
  EXPECT_TRUE(same_weights(start, quiet_checkpoint(1))) << "the start itself must not move";
}

TEST(FewShotTest, TheFirstOfEqualCellsAndStepsCounts) {
  const FewShotTask task = toy_few_shot_task();
  FewShotSettings settings = quick_settings();
  settings.learning_rates = {1e-9, 2e-9};  // too small to change an answer
  settings.batch_sizes = {2, 4};
  settings.optimiser.steps = 4;
  settings.eval_every = 2;
  const FewShotResult result = adapt_to_task(quiet_checkpoint(1), task, settings);
  const SampleResult& sample = result.samples.at(0);
  ASSERT_EQ(sample.cells.size(), 4u);
  EXPECT_EQ(sample.best, 0u);
  EXPECT_EQ(sample.cells[0].step, 2);
  EXPECT_EQ(result.mean(), result.start_score);
}

TEST(FewShotTest, ADivergedCellCountsUpToItsBestStep) {
  const FewShotTask task = toy_few_shot_task();
  FewShotSettings settings = quick_settings();
  settings.learning_rates = {1e30, 3e-3};
  settings.optimiser.warmup = 0;
  settings.optimiser.clip = 0;
  const FewShotResult result = adapt_to_task(quiet_checkpoint(1), task, settings);
  const SampleResult& sample = result.samples.at(0);
  EXPECT_TRUE(sample.cells[0].diverged);
  EXPECT_EQ(sample.cells[0].step, 0);
  EXPECT_EQ(sample.best, 1u);
}

TEST(FewShotTest, MeansAndDeviationsAreOverSamples) {
  FewShotResult result;
  result.task = "t";
  for (const double score : {0.5, 0.75, 1.0}) {
    SampleResult sample;
    sample.test_score = score;
    result.samples.push_back(sample);
  }
  EXPECT_DOUBLE_EQ(result.mean(), 0.75);
  EXPECT_DOUBLE_EQ(result.deviation(), std::sqrt(0.125 / 3));
  EXPECT_EQ(sample_scores(result).scores, (std::vector<double>{0.5, 0.75, 1.0}));
}

TEST(FewShotTest, AStopEndsTheTuning) {
  const std::atomic<bool> stop = true;
  FewShotSettings settings = quick_settings();
  settings.stop = &stop;
  EXPECT_THROW(adapt_to_task(quiet_checkpoint(1), toy_few_shot_task(), settings), Error);
}

}  // namespace
}  // namespace trivium::learning
