#include "learning/training/route_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/log_lines.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

using testing::HasSubstr;
using Curves = std::map<std::string, double>;

Curves curves_of(RouteWatch& watch, const ExpertUse& use) {
  const auto values = watch.look(use);
  return {values.begin(), values.end()};
}

// Two layers, the second the decoder's; two tasks; three experts.
ExpertUse use_of(const std::vector<float>& amounts) {
  return {torch::tensor(amounts).view({2, 2, 3}), {"a", "b"}, 1, 64};
}

TEST(RouteWatchTest, TellsOnceWhatCollapsesAndWhatStarves) {
  const LogLines log;
  RouteWatch watch;
  EXPECT_EQ(curves_of(watch, use_of({50, 30, 20, 40, 40, 20, 80, 10, 10, 10, 80, 10})),
            (Curves{{"largest_expert_share", static_cast<double>(80.0f) / 100},
                    {"collapsed_routes", 0},
                    {"starved_experts", 0}}));
  EXPECT_TRUE(log.with("").empty());
  // Task a's gate of the decoder's layer is dead; nothing reaches the first layer's expert 2.
  const ExpertUse bad = use_of({50, 50, 0, 40, 60, 0, 96, 2, 2, 10, 80, 10});
  for (int i = 0; i < 2; ++i) {
    const Curves curves = curves_of(watch, bad);
    EXPECT_NEAR(curves.at("largest_expert_share"), 0.96, 1e-6);
    EXPECT_EQ(curves.at("collapsed_routes"), 1);
    EXPECT_EQ(curves.at("starved_experts"), 1);
  }
  ASSERT_EQ(log.with("").size(), 1u);  // not in every step
  EXPECT_EQ(log.with("")[0],
            "routes: expert 2 of encoder layer 0 gets nothing; decoder layer 0 gives a to one "
            "expert (0, 96.0 %)");
  // With other figures it is still the same alarm; another task's is new.
  watch.look(use_of({50, 50, 0, 40, 60, 0, 99, 1, 0, 0, 100, 1}));
  ASSERT_EQ(log.with("").size(), 2u);
  EXPECT_THAT(log.with("")[1],
              testing::StartsWith("routes: decoder layer 0 gives b to one expert ("));
}

TEST(RouteWatchTest, FewTokensSayNothing) {
  const LogLines log;
  RouteWatch watch;
  const Curves curves = curves_of(watch, use_of({63, 0, 0, 0, 0, 0, 20, 20, 20, 0, 0, 0}));
  EXPECT_EQ(curves.at("collapsed_routes"), 0);
  EXPECT_EQ(curves.at("starved_experts"), 0);
  EXPECT_TRUE(log.with("").empty());
}

// Tasks with one expert each are what a router of tasks learns; the same one for all is not.
TEST(RouteWatchTest, ARouterCollapsesWhereAllTasksHaveOneExpert) {
  const float high = 9, low = 0;
  const torch::Tensor apart = torch::tensor({high, low, low, high}).view({1, 2, 2});
  const torch::Tensor together = torch::tensor({high, low, high, low}).view({1, 2, 2});
  const LogLines log;
  RouteWatch watch;
  Curves curves = curves_of(watch, use_of_logits(apart, 1));
  EXPECT_NEAR(curves.at("largest_expert_share"), 0.5, 1e-6);
  EXPECT_EQ(curves.at("collapsed_routes"), 0);
  EXPECT_EQ(curves.at("starved_experts"), 0);
  curves = curves_of(watch, use_of_logits(together, 1));
  EXPECT_EQ(curves.at("collapsed_routes"), 1);
  EXPECT_EQ(curves.at("starved_experts"), 1);
  ASSERT_EQ(log.with("").size(), 1u);
  EXPECT_THAT(log.with("")[0], HasSubstr("encoder layer 0 gives all tasks to one expert (0, "));
  // One task alone has one expert in the end.
  curves = curves_of(watch, use_of_logits(together.narrow(1, 0, 1), 1));
  EXPECT_EQ(curves.at("collapsed_routes"), 0);
}

// What real gates chose for real tokens, by task.
TEST(RouteWatchTest, CountsTheTokensOfEachTask) {
  ModelConfig config = toy_config(1);
  config.token_experts.num_experts = 2;
  Seq2SeqModel model(config, 2);
  model->init_weights(3);
  std::vector<TokenGate> gates = model->token_gates();
  for (TokenGate& gate : gates) gate->record(true);
  const Batch batch = collate(toy_examples(8), config.pad_token_id, config.decoder_start_token_id);
  torch::NoGradGuard no_grad;
  model->loss(batch, RoutingWeights{}, {}, 0);
  const ExpertUse use = use_of_gates(gates, config.encoder_layers, batch.source.mask,
                                     batch.label_mask, batch.task_ids, {"copy"});
  EXPECT_EQ(use.rows, (std::vector<std::string>{"copy", "task 1"}));
  ASSERT_EQ(use.amounts.sizes().vec(), (std::vector<int64_t>{model->num_layers(), 2, 2}));
  for (int64_t l = 0; l < model->num_layers(); ++l) {
    const torch::Tensor mask = l < config.encoder_layers ? batch.source.mask : batch.label_mask;
    for (int64_t task = 0; task < 2; ++task) {
      const torch::Tensor rows = (batch.task_ids == task).nonzero().squeeze(1);
      const torch::Tensor real = mask.index_select(0, rows);
      const torch::Tensor chosen =
          gates[static_cast<size_t>(l)]->recorded().argmax(-1).index_select(0, rows);
      for (int64_t expert = 0; expert < 2; ++expert) {
        EXPECT_EQ(use.amounts[l][task][expert].item<int64_t>(),
                  ((chosen == expert) & real).sum().item<int64_t>());
      }
    }
  }
}

}  // namespace
}  // namespace trivium::learning
