#include "learning/reference/expert_disabling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "learning/model/model_routes.h"
#include "learning/model/random_model.h"
#include "learning/model/selection.h"

namespace trivium::learning {
namespace {

using ::testing::HasSubstr;

const LayerPlace kEncoder2{false, 1}, kDecoder1{true, 0};

ModelConfig disabling_config(SelectionKind selection) {
  ModelConfig config = small_config(3);
  config.routing.selection = selection;
  return config;
}

TEST(RouteWithoutExpertTest, TheArgmaxMovesOn) {
  Seq2SeqModel model = random_model(disabling_config(SelectionKind::kGumbelStraightThrough));
  torch::NoGradGuard no_grad;
  for (int64_t task = 0; task < 4; ++task) {
    const TaskRoute before = route_of_task(model, task, 1);
    const torch::Tensor logits = model->router_logits(torch::full({1}, task, torch::kInt64))[1][0];
    const auto order = logits.argsort(-1, /*descending=*/true);
    const auto first = static_cast<size_t>(order[0].item<int64_t>());
    const auto second = static_cast<size_t>(order[1].item<int64_t>());
    const auto last = static_cast<size_t>(order[2].item<int64_t>());
    TaskRoute after = route_without_expert(model, task, 1, kEncoder2, first);
    EXPECT_EQ(after.encoder[1][second], 1.0f);
    after.encoder[1] = before.encoder[1];
    EXPECT_EQ(after, before);  // no other layer
    EXPECT_EQ(route_without_expert(model, task, 1, kEncoder2, last), before);
  }
}

TEST(RouteWithoutExpertTest, SoftWeightsAreSharedOutAnew) {
  Seq2SeqModel model = random_model(disabling_config(SelectionKind::kSoftmax));
  const TaskRoute before = route_of_task(model, 2, 0.7);
  const TaskRoute after = route_without_expert(model, 2, 0.7, kDecoder1, 1);
  const std::vector<float>& old = before.decoder[0];
  EXPECT_EQ(after.decoder[0][1], 0.0f);
  for (const size_t e : {0, 2}) {
    EXPECT_NEAR(after.decoder[0][e], old[e] / (old[0] + old[2]), 1e-6);
  }
  EXPECT_EQ(after.encoder, before.encoder);
}

TEST(RouteWithoutExpertTest, ATableGivesTheWeightToTheOthers) {
  ModelConfig config = disabling_config(SelectionKind::kSoftmax);
  config.routing.route_source = RouteSource::kTable;
  Seq2SeqModel model(config, 1);
  const auto table = torch::tensor({{0.5f, 0.3f, 0.2f, 0.f, 1.f, 0.f}}).repeat({1, 2});
  torch::NoGradGuard no_grad;
  model->route_table().copy_(table);
  const auto first = route_without_expert(model, 0, 1, {false, 0}, 1).encoder[0];
  EXPECT_NEAR(first[0], 0.5 / 0.7, 1e-6);
  EXPECT_EQ(first[1], 0);
  EXPECT_NEAR(first[2], 0.2 / 0.7, 1e-6);
  EXPECT_EQ(route_without_expert(model, 0, 1, kEncoder2, 1).encoder[1],
            (std::vector<float>{0.5f, 0, 0.5f}));
}

// Tasks 0 to 3 of a model with one-hot routes; a task's score falls by `cost` when the expert that
// it takes in a layer is not its own any more.
class DisablingTest : public ::testing::Test {
 protected:
  DisablingTest() {
    for (int64_t task = 0; task < 4; ++task) routes_.push_back(route_of_task(model_, task, 1));
    expert_ = static_cast<size_t>(TaskRoute::main_expert(routes_[0].encoder[1]));
    FeatureTable& table = features_;
    table.features = {{"uses it", "", false, {}}, {"all", "", false, {}}};
    for (size_t task = 0; task < 4; ++task) {
      table.tasks.push_back("task" + std::to_string(task));
      table.features[0].has.push_back(routes_[task].encoder[1][expert_] == 1);
      table.features[1].has.push_back(true);
    }
  }

  FeatureExpert pair(const std::string& feature, double r) const {
    return {feature, kEncoder2, expert_, r, 0.001, 0.002};
  }

  DisablingReport disable(const std::vector<FeatureExpert>& pairs, double cost) {
    const RouteScorer score = [&, cost](size_t task, const TaskRoute& route) {
      ++scored_;
      return route.encoder[1] == routes_[task].encoder[1] ? 0.9 : 0.9 - cost;
    };
    return disable_experts(model_, {0, 1, 2, 3}, features_, pairs, score,
                           {.temperature = 1, .pairs = 2, .random = 3, .seed = 1});
  }

  Seq2SeqModel model_ = random_model(disabling_config(SelectionKind::kGumbelStraightThrough));
  std::vector<TaskRoute> routes_;
  size_t expert_ = 0;
  FeatureTable features_;
  int scored_ = 0;
};

TEST_F(DisablingTest, FindsTheTasksThatNeedTheExpert) {
  const size_t users = features_.features[0].count();
  ASSERT_GT(users, 0u);
  ASSERT_LT(users, 4u) << "the toy needs tasks on both sides";
  const DisablingReport report = disable({pair("uses it", 0.9)}, 0.25);
  ASSERT_EQ(report.pairs.size(), 1u);
  const PairEffect& found = report.pairs[0];
  EXPECT_NEAR(report.mean_score, 0.9, 1e-12);
  EXPECT_EQ(found.tasks_with, users);
  EXPECT_EQ(found.effect.changed_with, users);
  EXPECT_EQ(found.effect.changed_without, 0u);
  EXPECT_NEAR(found.effect.drop_with, 0.25, 1e-12);
  EXPECT_NEAR(found.effect.drop_without, 0, 1e-12);
  EXPECT_NEAR(found.interval.low, 0.25, 1e-12);
  EXPECT_EQ(found.random.size(), 3u);
  for (const DisablingEffect& other : found.random) {
    EXPECT_FALSE(other.place == kEncoder2 && other.expert == expert_);
    EXPECT_LE(other.difference(), 0);
  }
  EXPECT_TRUE(found.is_specific());
  EXPECT_THAT(to_markdown(report), HasSubstr("in 1 of 1 pairs"));
  EXPECT_EQ(to_json(report).at("pairs").at(0).at("specific"), true);
}

TEST_F(DisablingTest, SeesThatAnExpertDoesNotMatter) {
  const DisablingReport report = disable({pair("uses it", 0.9)}, 0);
  EXPECT_FALSE(report.pairs.at(0).is_specific());
  EXPECT_THAT(to_markdown(report), HasSubstr("in 0 of 1 pairs"));
}

TEST_F(DisablingTest, LeavesOutWhatCannotBeCompared) {
  const DisablingReport report = disable({pair("all", 0.9), pair("uses it", -0.9)}, 0.25);
  EXPECT_TRUE(report.pairs.empty());
  EXPECT_EQ(report.unused, 0u);
  EXPECT_THAT(to_markdown(report), HasSubstr("nothing to disable"));
}

TEST_F(DisablingTest, LeavesOutExpertsThatNobodyTakes) {
  // Only the tasks without the feature take the expert.
  std::vector<bool>& has = features_.features[0].has;
  has.flip();
  ASSERT_GT(features_.features[0].count(), 0u);
  const DisablingReport report = disable({pair("uses it", 0.9)}, 0.25);
  EXPECT_TRUE(report.pairs.empty());
  EXPECT_EQ(report.unused, 1u);
  EXPECT_THAT(to_markdown(report), HasSubstr("1 pairs were left out"));
}

TEST_F(DisablingTest, ScoresARouteOnce) {
  disable({pair("uses it", 0.9), pair("uses it", 0.8)}, 0.25);
  // 4 tasks as they are; no more than the tasks times the experts that are disabled.
  EXPECT_LE(scored_, 4 + 4 * 7);
  const int once = scored_;
  disable({pair("uses it", 0.9), pair("uses it", 0.8)}, 0.25);
  EXPECT_EQ(scored_, 2 * once);  // the same draw by the same seed
}

}  // namespace
}  // namespace trivium::learning
