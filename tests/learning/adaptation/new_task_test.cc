#include "learning/adaptation/new_task.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"
#include "core/inference/loaded_model.h"
#include "learning/model/model_routes.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

std::vector<EncodedExample> examples() {
  std::vector<EncodedExample> all;
  for (int32_t i = 0; i < 8; ++i) all.push_back({0, {2, 20 + i, 30 + i, 3}, {2, 40, 41, 3}});
  return all;
}

TEST(NewTaskTest, NearestTasksShareTheVector) {
  const Checkpoint checkpoint = tiny_checkpoint();
  const TaskMix shares = nearest_tasks(checkpoint, {"how many apples", "a witty film"}, 2);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_NEAR(shares[0].second + shares[1].second, 1, 1e-12);
  EXPECT_GE(shares[0].second, shares[1].second);
  EXPECT_EQ(nearest_tasks(checkpoint, {"how many apples are left"}).at(0).first, "gsm8k_answer");
  Seq2SeqModel model = checkpoint.model;
  const torch::Tensor vectors = model->task_vectors();
  EXPECT_TRUE(torch::allclose(mixed_vector(checkpoint, {{"sst2", 0.25}, {"mnli", 0.75}}),
                              vectors[0] * 0.25 + vectors[1] * 0.75));
}

TEST(NewTaskTest, TheVectorAloneIsTuned) {
  const Checkpoint checkpoint = tiny_checkpoint(3, SelectionKind::kSoftmax);
  NamedTensors before;
  for (const auto& [name, tensor] : model_tensors(checkpoint.model)) before[name] = tensor.clone();
  OptimiserSettings settings;
  settings.steps = 30;
  settings.dropout = 0;
  settings.warmup = 0;
  settings.task_vector_learning_rate = 0.1;
  const torch::Tensor start = torch::zeros({8});
  const VectorTuning tuned = tune_vector(checkpoint, start, examples(), 4, settings);
  EXPECT_LT(tuned.loss_after, tuned.loss_before);
  EXPECT_FALSE(torch::equal(tuned.vector, start));
  for (const auto& [name, tensor] : model_tensors(checkpoint.model)) {
    EXPECT_TRUE(torch::equal(tensor, before.at(name))) << name;
  }
}

TEST(NewTaskTest, AVectorThatGetsNoBetterStays) {
  OptimiserSettings settings;
  settings.steps = 2;
  settings.task_vector_learning_rate = 0;
  const torch::Tensor start = torch::ones({8});
  const VectorTuning tuned = tune_vector(tiny_checkpoint(), start, examples(), 4, settings);
  EXPECT_TRUE(torch::equal(tuned.vector, start));
  EXPECT_EQ(tuned.loss_after, tuned.loss_before);
}

TEST(NewTaskTest, ASavedCheckpointAnswersForTheTask) {
  Checkpoint checkpoint = tiny_checkpoint();
  const torch::Tensor vector = torch::linspace(-1, 1, 8);
  const Checkpoint more =
      with_task(checkpoint, plain_entry(plain_task("riddles"), "Guess."), vector);
  EXPECT_EQ(checkpoint.tasks.entries().size(), 3u);
  const TemporaryFolder temporary;
  save_checkpoint(more, temporary.path() / "model");
  LoadedModel loaded(temporary.path() / "model", EngineOptions());
  const ResolvedPrompt prompt = loaded.resolve("riddles", "what is it");
  EXPECT_EQ(prompt.row, 3);
  EXPECT_EQ(prompt.prompt.text, "what is it");
  EXPECT_EQ(prompt.prompt.route, route_of_vector(checkpoint.model, vector, 1.0));
  EXPECT_EQ(loaded.tasks().find("riddles").description, "Guess.");
  EXPECT_EQ(loaded.route(1), route_of_task(checkpoint.model, 1, 1.0));
  EXPECT_THROW(with_task(more, plain_entry(plain_task("riddles"), ""), vector), Error);
}

TEST(NewTaskTest, NeedsARouterAndKnownTasks) {
  EXPECT_THROW(mixed_vector(tiny_checkpoint(1), {{"sst2", 1}}), Error);
  Checkpoint checkpoint = tiny_checkpoint();
  checkpoint.finder.reset();
  EXPECT_THROW(nearest_tasks(checkpoint, {"x"}), Error);
}

}  // namespace
}  // namespace trivium::learning
