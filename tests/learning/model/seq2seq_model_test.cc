#include "learning/model/seq2seq_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "learning/model/random_model.h"

namespace trivium::learning {
namespace {

TEST(Seq2SeqModelTest, PaddingDoesNotChangeARow) {
  torch::NoGradGuard no_grad;
  for (int64_t num_experts : {1, 3}) {
    Seq2SeqModel model = random_model(small_config(num_experts));
    const auto sources = random_ids({4, 12}, 40, 1);
    const auto inputs = random_ids({3, 9}, 40, 2);
    RoutingWeights routes, alone_route;
    if (num_experts > 1) {
      routes = soft_routes(model->config(), 2);
      alone_route = route_rows(routes, {0});
    }
    const torch::Tensor together =
        forward_logits(model, collate_sources(sources, 1), collate_sources(inputs, 1).ids, routes);
    const torch::Tensor alone = forward_logits(model, collate_sources({sources[0]}, 1),
                                               collate_sources({inputs[0]}, 1).ids, alone_route);
    EXPECT_LT(max_difference(together.narrow(0, 0, 1).narrow(1, 0, 3), alone), 1e-5);
  }
}

// docs/spec/parity.md, section 2: position p takes row p + 2; rows 0 and 1 are never used.
TEST(Seq2SeqModelTest, PositionsBeginAtRowTwo) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel model = random_model(small_config(1));
  const SourceBatch source = collate_sources(random_ids({5}, 40, 1), 1);
  const torch::Tensor input = collate_sources(random_ids({4}, 40, 2), 1).ids;
  const torch::Tensor expected = forward_logits(model, source, input);
  torch::Tensor encoder = model->encoder()->position_weight();
  torch::Tensor decoder = model->decoder()->position_weight();
  ASSERT_EQ(encoder.size(0), 24 + 2);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  encoder.narrow(0, 0, 2).fill_(nan);
  encoder.narrow(0, 2 + 5, 19).fill_(nan);
  decoder.narrow(0, 0, 2).fill_(nan);
  decoder.narrow(0, 2 + 4, 20).fill_(nan);
  EXPECT_TRUE(torch::equal(forward_logits(model, source, input), expected));
  decoder[2 + 3][0].add_(1);  // the last position's
  const torch::Tensor changed = forward_logits(model, source, input);
  EXPECT_TRUE(torch::equal(changed.narrow(1, 0, 3), expected.narrow(1, 0, 3)));
  EXPECT_GT(max_difference(changed.select(1, 3), expected.select(1, 3)), 1e-3);
}

TEST(Seq2SeqModelTest, SequenceLongerThanThePositionTableIsAnError) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel model = random_model(small_config(1));
  const SourceBatch fits = collate_sources(random_ids({24}, 40), 1);
  const SourceBatch longer = collate_sources(random_ids({25}, 40), 1);
  const torch::Tensor memory = model->encode(fits.ids, fits.mask, {});
  EXPECT_NO_THROW(model->decode(fits.ids, memory, fits.mask, {}));
  EXPECT_THROW(model->encode(longer.ids, longer.mask, {}), Error);
  EXPECT_THROW(model->decode(longer.ids, memory, fits.mask, {}), Error);
}

TEST(Seq2SeqModelTest, OutputLayerIsTheTokenEmbedding) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel model = random_model(small_config(1));
  torch::manual_seed(1);
  const torch::Tensor hidden = torch::randn({2, 16});
  const torch::Tensor expected = torch::matmul(hidden, model->shared_weight().t()) +
                                 model->named_buffers()["final_logits_bias"];
  EXPECT_LT(max_difference(model->logits(hidden), expected), 1e-5);
}

TEST(Seq2SeqModelTest, InitialisationFollowsTheSeed) {
  ModelConfig config = small_config(3);
  config.vocab_size = 1000;
  Seq2SeqModel model(config, 200), same(config, 200), other(config, 200);
  model->init_weights(5);
  same->init_weights(5);
  other->init_weights(6);
  const auto parameters = model->named_parameters();
  for (const auto& item : parameters) {
    const torch::Tensor& value = item.value();
    EXPECT_TRUE(torch::equal(value, same->named_parameters()[item.key()])) << item.key();
    const bool norm = item.key().find("norm") != std::string::npos;
    if (item.key().ends_with("bias")) {
      EXPECT_EQ(value.abs().max().item<double>(), 0) << item.key();
    } else if (norm) {
      EXPECT_TRUE(torch::equal(value, torch::ones_like(value))) << item.key();
    } else {
      EXPECT_FALSE(torch::equal(value, other->named_parameters()[item.key()])) << item.key();
      const double std = item.key() == "task_vectors.weight" ? 1.0 : config.init_std;
      // 6 standard errors of a deviation.
      EXPECT_NEAR(value.std().item<double>() / std, 1.0, 6 / std::sqrt(2.0 * value.numel()))
          << item.key();
    }
  }
  EXPECT_EQ(model->shared_weight()[config.pad_token_id].abs().max().item<double>(), 0);
  EXPECT_GT(model->shared_weight()[0].abs().max().item<double>(), 0);
}

TEST(Seq2SeqModelTest, RouterLogitsAreSplitBetweenTheStacks) {
  torch::NoGradGuard no_grad;
  ModelConfig config = small_config(3);
  config.decoder_layers = 3;
  Seq2SeqModel model = random_model(config);
  const torch::Tensor logits = model->router_logits(torch::tensor({3, 0}, torch::kInt64));
  ASSERT_EQ(logits.sizes(), (std::vector<int64_t>{5, 2, 3}));
  const RoutingWeights split = model->split_stacks(logits);
  EXPECT_TRUE(torch::equal(split.encoder, logits.narrow(0, 0, 2)));
  EXPECT_TRUE(torch::equal(split.decoder, logits.narrow(0, 2, 3)));
  // Row 0 is task 3's.
  const torch::Tensor alone = model->router()->forward(model->task_vectors().narrow(0, 3, 1));
  EXPECT_LT(max_difference(logits.narrow(1, 0, 1), alone), 1e-6);
  Seq2SeqModel dense = random_model(small_config(1));
  EXPECT_FALSE(dense->is_routed());
  EXPECT_THROW(dense->router_logits(torch::tensor({0}, torch::kInt64)), std::logic_error);
}

TEST(ConstantRoutes, ComeFromTheTableAndCarryNoGradient) {
  ModelConfig config = small_config(3);
  config.routing.route_source = RouteSource::kTable;
  Seq2SeqModel model(config, /*num_tasks=*/2);
  model->init_weights(1);
  EXPECT_FALSE(model->has_router());
  const torch::Tensor tasks = torch::tensor({1, 0, 1}, torch::kInt64);
  const torch::Tensor average = model->inference_routes(tasks, 1.0);
  EXPECT_EQ(average.sizes(), (std::vector<int64_t>{model->num_layers(), 3, 3}));
  EXPECT_TRUE(average.allclose(torch::full_like(average, 1.0 / 3)));
  model->route_table().zero_().slice(1, 2, std::nullopt, 3).fill_(1);
  model->route_table().select(0, 1).copy_(torch::zeros({model->num_layers() * 3}));
  model->route_table().select(0, 1).slice(0, 0, std::nullopt, 3).fill_(1);
  const torch::Tensor routes = model->inference_routes(tasks, 1.0);
  EXPECT_EQ(routes[0][0].argmax().item<int64_t>(), 0);
  EXPECT_EQ(routes[0][1].argmax().item<int64_t>(), 2);
  EXPECT_FALSE(routes.requires_grad());
  for (const auto& item : model->named_parameters()) EXPECT_NE(item.key(), "route_table.weight");
}

}  // namespace
}  // namespace trivium::learning
