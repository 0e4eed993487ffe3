#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {
namespace {

using ::testing::HasSubstr;

class ScoreTest : public ::testing::Test {
 protected:
  ScoreTest() { save_checkpoint(tiny_checkpoint(), model_); }
  Outcome score(const std::string& input) const {
    return run_program({"score", "--checkpoint", model_, "--threads", "1"}, input);
  }
  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
};

TEST_F(ScoreTest, GivesTheModelsLogLikelihoods) {
  const Outcome outcome = score(
      "{\"task\":\"sst2\",\"input\":\"a film\",\"options\":[\"bad\",\"good\",\"so so\"]}\n"
      "{\"task\":\"sst2\",\"input\":\"a film\"}\n");
  EXPECT_EQ(outcome.code, 0);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  LoadedModel model(model_, EngineOptions{});
  const Prompt prompt = model.resolve("sst2", "a film").prompt;
  const auto expected = model.generator().score({prompt}, {{"bad", "good", "so so"}}).at(0);
  const auto found = lines[0].at("log_likelihoods").get<std::vector<double>>();
  ASSERT_EQ(found.size(), 3u);
  size_t best = 0;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-4);
    if (found[i] > found[best]) best = i;
  }
  EXPECT_EQ(lines[0].at("best"), lines[0].at("options").at(best));
  EXPECT_EQ(lines[0].at("route").at("decoder").size(), 2u);
  EXPECT_EQ(lines[1].at("options"), (Json{"negative", "positive"}));
}

TEST_F(ScoreTest, ALineWithoutOptionsIsAnErrorWhereTheTaskIsOpen) {
  std::string many = "\"a\"";
  for (int i = 0; i < 1000; ++i) many += ",\"a\"";
  const Outcome outcome = score(
      "{\"task\":\"gsm8k_answer\",\"input\":\"how many\"}\n"
      "{\"task\":\"gsm8k_answer\",\"input\":\"how many\",\"options\":[\"1\",\"2\"]}\n"
      "{\"input\":\"how many\",\"options\":[" +
      many +
      "]}\n"
      "\n"
      "{\"input\":\"how many\",\"options\":[1]}\n");
  EXPECT_EQ(outcome.code, 65);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0].at("error").get<std::string>(), HasSubstr("stdin:1: no \"options\""));
  EXPECT_EQ(lines[1].at("finish"), "scored");
  EXPECT_THAT(lines[2].at("error").get<std::string>(), HasSubstr("more than 1000"));
  EXPECT_EQ(lines[3].at("finish"), "skipped");
  EXPECT_EQ(lines[4].at("finish"), "error");
}

}  // namespace
}  // namespace trivium::cli
