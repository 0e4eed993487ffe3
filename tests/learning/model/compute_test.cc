#include "learning/model/compute.h"

#include <gtest/gtest.h>

namespace trivium::learning {
namespace {

// BART-base by hand: an encoder layer has 7,077,888 weights in its products, a decoder layer
// 9,437,184, the output projection 38,603,520.
TEST(ComputeTest, CountsBartBaseByHand) {
  const ModelConfig config;  // dense
  const double source = 128, target = 64;
  const double encoder = 6 * (2 * 128 * 7077888.0 + 4 * 128.0 * 128 * 768);
  // Of the decoder's weights, cross-attention's keys and values (1,179,648) see source tokens.
  const double decoder =
      6 * (2 * 64 * (9437184.0 - 1179648) + 2 * 128 * 1179648.0 + 4 * 64.0 * (64 + 128) * 768);
  EXPECT_DOUBLE_EQ(forward_flops(config, {source, target}, 1),
                   encoder + decoder + 2 * 64 * 38603520.0);
  EXPECT_DOUBLE_EQ(training_flops(config, {source, target}, 1, 0),
                   3 * forward_flops(config, {source, target}, 1));
}

TEST(ComputeTest, OnlyPoolsRunMoreExperts) {
  ModelConfig config;
  config.routing.num_experts = 3;
  const ExampleLengths lengths{100, 10};
  const double one = forward_flops(config, lengths, 1), three = forward_flops(config, lengths, 3);
  const double head = 2 * 10 * 768.0 * 50265;
  EXPECT_DOUBLE_EQ(three - head, 3 * (one - head));
  // One forward pass more of the pools than with one expert.
  EXPECT_NEAR(training_flops(config, lengths, 1, 1), 3 * one + (one - head), 1);
  config.routing.encoder_vanilla_layers =
      config.routing.decoder_vanilla_layers = {0, 1, 2, 3, 4, 5};
  EXPECT_DOUBLE_EQ(forward_flops(config, lengths, 3), one);
}

}  // namespace
}  // namespace trivium::learning
