#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "learning/storage/tiny_checkpoint.h"

namespace trivium::research {
namespace {

TEST(BenchTest, StraightThroughPrintsItsFigures) {
  TemporaryFolder folder;
  const std::string model = (folder.path() / "model").string();
  learning::save_checkpoint(learning::tiny_checkpoint(), model);
  const cli::Outcome outcome = cli::run_program(
      {"bench", "straight-through", "--checkpoint", model, "--threads", "1", "--rounds", "2",
       "--batch", "2", "--source-tokens", "6", "--target-tokens", "3", "--precision", "fp32"},
      "");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json result = Json::parse(outcome.out);
  for (const char* variant : {"straight_through", "all_experts", "dense"}) {
    const double seconds = result.at(variant).at("seconds");
    EXPECT_GT(seconds, 0) << variant;
    EXPECT_NEAR(result.at(variant).at("examples_per_second").get<double>() * seconds, 2, 1e-9);
  }
  for (const char* ratio : {"ratio_to_all_experts", "ratio_to_dense"}) {
    EXPECT_GT(result.at(ratio).at("min"), 0);
    EXPECT_LE(result.at(ratio).at("min"), result.at(ratio).at("median"));
    EXPECT_LE(result.at(ratio).at("median"), result.at(ratio).at("max"));
  }
  const cli::Outcome longer = cli::run_program(
      {"bench", "straight-through", "--checkpoint", model, "--source-tokens", "4000"}, "");
  EXPECT_EQ(longer.code, 2);
}

TEST(BenchTest, TokenGatesPrintsItsFigures) {
  const cli::Outcome outcome = cli::run_program(
      {"bench",    "token-gates", "--threads",    "1", "--rounds",  "2",  "--batch", "4",
       "--tokens", "6",           "--layers",     "1", "--d-model", "16", "--heads", "2",
       "--d-ffn",  "8",           "--vocab-size", "50"},
      "");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json result = Json::parse(outcome.out);
  EXPECT_GT(result.at("dense_seconds"), 0);
  EXPECT_NEAR(result.at("token_examples_per_second").get<double>() *
                  result.at("token_seconds").get<double>(),
              4, 1e-9);
  EXPECT_LE(result.at("ratio").at("min"), result.at("ratio").at("median"));
}

TEST(BenchTest, GenerationPrintsItsFiguresForBothEngines) {
  TemporaryFolder folder;
  const std::string model = (folder.path() / "model").string();
  learning::save_checkpoint(learning::tiny_checkpoint(), model);
  for (const char* engine : {"fast", "torch"}) {
    const cli::Outcome outcome = cli::run_program(
        {"bench", "generation", "--checkpoint", model, "--engine", engine, "--threads", "1",
         "--shapes", "1x1,2x3", "--source-tokens", "6", "--new-tokens", "3", "--rounds", "1"},
        "");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Json result = Json::parse(outcome.out);
    ASSERT_EQ(result.at("shapes").size(), 2u);
    EXPECT_EQ(result.at("shapes")[1].at("batch"), 2);
    EXPECT_EQ(result.at("shapes")[1].at("beams"), 3);
    for (const Json& shape : result.at("shapes")) EXPECT_GT(shape.at("tokens_per_second"), 0);
    EXPECT_GT(result.at("peak_memory"), 1 << 20);
    // The limits are the fast engine's: LibTorch does not say what it reads.
    EXPECT_EQ(result.contains("share_of_limit"), std::string(engine) == "fast");
  }
  const cli::Outcome bad =
      cli::run_program({"bench", "generation", "--checkpoint", model, "--shapes", "4by2"}, "");
  EXPECT_EQ(bad.code, 2);
  EXPECT_NE(bad.err.find("16x1"), std::string::npos) << bad.err;
}

TEST(BenchTest, TrainingPrintsItsFigures) {
  TemporaryFolder folder;
  const std::string model = (folder.path() / "model").string();
  learning::save_checkpoint(learning::tiny_checkpoint(), model);
  for (const char* experts : {"1", "3"}) {
    const cli::Outcome outcome =
        cli::run_program({"bench", "training", "--checkpoint", model, "--threads", "1", "--rounds",
                          "2", "--batch", "4", "--source-tokens", "8", "--target-tokens", "4",
                          "--shortest", "0.5", "--num-experts", experts},
                         "");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Json result = Json::parse(outcome.out);
    EXPECT_NEAR(result.at("examples_per_second").get<double>() *
                    result.at("seconds").at("median").get<double>(),
                4, 1e-9);
    EXPECT_GE(result.at("source_tokens"), 16);
    EXPECT_LT(result.at("source_tokens"), 32);
    EXPECT_LE(result.at("target_tokens"), 16);
  }
  const cli::Outcome longer =
      cli::run_program({"bench", "training", "--checkpoint", model, "--source-tokens", "4000"}, "");
  EXPECT_EQ(longer.code, 2);
}

TEST(BenchTest, AgreementCountsTheSameAnswers) {
  TemporaryFolder folder;
  const std::string model = (folder.path() / "model").string();
  learning::save_checkpoint(learning::tiny_checkpoint(), model);
  const cli::Outcome outcome = cli::run_program(
      {"bench", "agreement", "--checkpoint", model, "--threads", "1"}, "a\n\nb c\n");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json result = Json::parse(outcome.out);
  EXPECT_EQ(result.at("prompts"), 2);
  ASSERT_EQ(result.at("engines").size(), 3u);
  const Json& exact = result.at("engines")[0];
  EXPECT_EQ(exact.at("compute"), "float32");
  EXPECT_EQ(exact.at("same_text"), 2);
  EXPECT_EQ(exact.at("share"), 1.0);
  EXPECT_LT(exact.at("score_difference"), 1e-3);
  const cli::Outcome nothing =
      cli::run_program({"bench", "agreement", "--checkpoint", model}, "\n");
  EXPECT_EQ(nothing.code, 65);
}

}  // namespace
}  // namespace trivium::research
