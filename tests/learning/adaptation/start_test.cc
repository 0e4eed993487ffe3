#include "learning/adaptation/start.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "learning/adaptation/toy_task.h"
#include "learning/model/model_routes.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

TaskRoute route_of(const Start& start) {
  Seq2SeqModel model = start.checkpoint.model;
  return route_of_task(model, 0, 1.0);
}

TEST(StartTest, RoutedTakesTheNearestTasksRoute) {
  Checkpoint checkpoint = tiny_checkpoint();
  FewShotTask task = toy_few_shot_task();
  task.test.train_inputs = {"how many apples", "a dull film", "how many are left"};
  const Start start = make_start(checkpoint, StartKind::kRouted, task, 1);
  EXPECT_EQ(start.route, "gsm8k_answer (2 of 3)");
  EXPECT_EQ(route_of(start), route_of_task(checkpoint.model, 2, 1.0));
  EXPECT_EQ(start.checkpoint.tasks.names(), std::vector<std::string>{"moods"});
  task.task.name = "mnli";
  const Start own = make_start(checkpoint, StartKind::kRouted, task, 1);
  EXPECT_EQ(own.route, "own");
  EXPECT_EQ(route_of(own), route_of_task(checkpoint.model, 1, 1.0));
}

TEST(StartTest, AVectorOfItsOwnDecidesTheRoute) {
  Checkpoint checkpoint = tiny_checkpoint();
  const FewShotTask task = toy_few_shot_task();
  const torch::Tensor vector = torch::linspace(-2, 1, 8);
  const Start start = make_start(checkpoint, StartKind::kRouted, task, 1, vector);
  EXPECT_EQ(start.route, "vector");
  EXPECT_EQ(route_of(start), route_of_vector(checkpoint.model, vector, 1.0));
  EXPECT_THROW(make_start(checkpoint, StartKind::kRouted, task, 1, torch::ones({5})), Error);
}

TEST(StartTest, AveragedAndRandomRoutes) {
  const Checkpoint checkpoint = tiny_checkpoint();
  const FewShotTask task = toy_few_shot_task();
  const TaskRoute average = route_of(make_start(checkpoint, StartKind::kAveraged, task, 1));
  EXPECT_EQ(average.encoder, (std::vector<std::vector<float>>{{1}, {1 / 3.f, 1 / 3.f, 1 / 3.f}}));
  const TaskRoute random = route_of(make_start(checkpoint, StartKind::kRandom, task, 1));
  for (const std::vector<float>& layer : random.decoder) {
    EXPECT_EQ(std::count(layer.begin(), layer.end(), 1.0f), 1);
    EXPECT_EQ(std::count(layer.begin(), layer.end(), 0.0f), 2);
  }
  EXPECT_EQ(random, route_of(make_start(checkpoint, StartKind::kRandom, task, 1)));
  bool differs = false;
  for (uint64_t seed = 2; seed < 8; ++seed) {
    differs |= !(random == route_of(make_start(checkpoint, StartKind::kRandom, task, seed)));
  }
  EXPECT_TRUE(differs);
}

TEST(StartTest, RandomRoutesCanHaveSeveralExperts) {
  const TaskRoute route = random_route(tiny_checkpoint().config(), 1, 2);
  for (const std::vector<float>& layer : route.decoder) {
    EXPECT_EQ(std::count(layer.begin(), layer.end(), 0.5f), 2);
    EXPECT_EQ(std::count(layer.begin(), layer.end(), 0.0f), 1);
  }
}

TEST(StartTest, SqueezedIsDense) {
  const Start start = make_start(tiny_checkpoint(), StartKind::kSqueezed, toy_few_shot_task(), 1);
  EXPECT_FALSE(start.checkpoint.model->is_routed());
  EXPECT_EQ(start.checkpoint.finder->find("anything").at(0).task, "moods");
}

TEST(StartTest, TheKindMustFitTheCheckpoint) {
  const FewShotTask task = toy_few_shot_task();
  EXPECT_THROW(make_start(tiny_checkpoint(), StartKind::kDense, task, 1), Error);
  EXPECT_THROW(make_start(tiny_checkpoint(1), StartKind::kRouted, task, 1), Error);
  EXPECT_EQ(make_start(tiny_checkpoint(1), StartKind::kDense, task, 1).route, "none");
}

TEST(StartTest, NamesAreFoundAgain) {
  for (const std::string& name : start_names()) EXPECT_EQ(name_of(start_kind(name)), name);
  EXPECT_THROW(start_kind("best"), Error);
}

}  // namespace
}  // namespace trivium::learning
