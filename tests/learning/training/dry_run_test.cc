#include "learning/training/dry_run.h"

#include <gtest/gtest.h>

#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

// Every vector that a layer keeps is counted once for each token.
TEST(DryRunTest, EstimatesWhatALayerKeeps) {
  ModelConfig config = toy_config(1);
  config.d_model = 8;
  config.encoder_ffn_dim = 16;
  config.decoder_ffn_dim = 32;
  config.encoder_layers = 2;
  config.decoder_layers = 3;
  const DryRunData data = {Json::object(), 1, 100, 0.75};
  const double expected = 75 * 2 * (10 * 8 + 2 * 16) + 25 * 3 * (17 * 8 + 2 * 32);
  EXPECT_EQ(activation_bytes(config, data, Precision::kFloat32), 4 * expected);
  EXPECT_EQ(activation_bytes(config, data, Precision::kBfloat16), 2 * expected);
  config.routing.num_experts = 4;
  config.routing.selection = SelectionKind::kGumbelStraightThrough;
  EXPECT_EQ(activation_bytes(config, data, Precision::kFloat32), 4 * expected);
  config.routing.selection = SelectionKind::kSoftmax;
  EXPECT_EQ(activation_bytes(config, data, Precision::kFloat32), 4 * 4 * expected);
}

TEST(DryRunTest, MeasuresStepsThatWriteNothing) {
  const TemporaryFolder folder;
  Checkpoint checkpoint = toy_checkpoint();
  const auto stream = toy_stream();
  const TrainerOptions options = toy_options(folder.path() / "run");
  Trainer trainer(checkpoint, *stream, options, nullptr);
  const Json plan = dry_run(trainer, *checkpoint.model, checkpoint.config(), options.optimiser,
                            {{{"copy", 32}, {"reverse", 32}}, 8, 96, 0.5});
  int64_t parameters = 0;
  for (const torch::Tensor& parameter : checkpoint.model->parameters()) {
    parameters += parameter.numel();
  }
  EXPECT_EQ(plan.at("parameters"), parameters);
  EXPECT_EQ(plan.at("steps"), 12);
  EXPECT_EQ(plan.at("epochs"), 1.5);
  EXPECT_EQ(plan.at("measured_steps"), 5);
  EXPECT_EQ(trainer.steps_done(), 6);
  EXPECT_GT(plan.at("seconds_a_step"), 0);
  EXPECT_NEAR(plan.at("seconds_without_evaluation").get<double>(),
              12 * plan.at("seconds_a_step").get<double>(), 1e-9);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run"));
}

}  // namespace
}  // namespace trivium::learning
