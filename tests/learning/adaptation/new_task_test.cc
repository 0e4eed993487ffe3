#include "learning/adaptation/new_task.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/temporary_folder.h"
#include "core/inference/loaded_model.h"
#include "learning/model/model_routes.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::learning {
namespace {

TEST(NewTaskTest, NearestTasksShareTheVector) {
  const Checkpoint checkpoint = tiny_checkpoint();
  const TaskMix shares = nearest_tasks(checkpoint, {"how many apples", "a witty film"}, 2);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_NEAR(shares[0].second + shares[1].second, 1, 1e-12);
  EXPECT_GE(shares[0].second, shares[1].second);
  EXPECT_EQ(nearest_tasks(checkpoint, {"how many apples are left"}).at(0).first, "gsm8k_answer");
}

TEST(NewTaskTest, TheRouteIsTheRoutersOfTheMixedVectors) {
  const Checkpoint checkpoint = tiny_checkpoint();
  Seq2SeqModel model = checkpoint.model;
  const torch::Tensor vectors = model->task_vectors();
  const TaskRoute mixed = mixed_route(checkpoint, {{"sst2", 0.25}, {"mnli", 0.75}});
  EXPECT_EQ(mixed,
            main_experts_only(route_of_vector(model, vectors[0] * 0.25 + vectors[1] * 0.75, 1.0)));
  EXPECT_EQ(mixed, main_experts_only(mixed)) << "one expert a layer";
  EXPECT_EQ(mixed_route(checkpoint, {{"mnli", 1}}),
            main_experts_only(route_of_task(model, 1, 1.0)));
}

TEST(NewTaskTest, ADenseModelHasOneRoute) {
  const Checkpoint dense = tiny_checkpoint(1);
  EXPECT_EQ(mixed_route(dense, {{"mnli", 1}}), dense_route(dense.config()));
  EXPECT_EQ(mixed_route(dense, {}), dense_route(dense.config()));
}

TEST(NewTaskTest, NeedsKnownTasks) {
  Checkpoint checkpoint = tiny_checkpoint();
  checkpoint.finder.reset();
  EXPECT_THROW(nearest_tasks(checkpoint, {"x"}), Error);
}

}  // namespace
}  // namespace trivium::learning
