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
  const auto expected =
      model.generator().score({prompt}, {{"bad", "good", "so so"}}).at(0).log_likelihoods;
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
      "{\"input\":\"how many\",\"options\":[1]}\n"
      "{\"task\":\"sst2\",\"input\":\"a film\",\"options\":[]}\n");
  EXPECT_EQ(outcome.code, 65);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_THAT(lines[0].at("error").get<std::string>(), HasSubstr("stdin:1: no \"options\""));
  EXPECT_EQ(lines[1].at("finish"), "scored");
  EXPECT_THAT(lines[2].at("error").get<std::string>(), HasSubstr("more than 1000"));
  EXPECT_EQ(lines[3].at("finish"), "skipped");
  EXPECT_EQ(lines[4].at("finish"), "error");
  EXPECT_THAT(lines[5].at("error").get<std::string>(), HasSubstr("\"options\" is empty"));
}

// The model has 200 positions: what two options differ in lies behind them.
TEST_F(ScoreTest, NothingIsCutInSilence) {
  std::string words;
  for (int i = 0; i < 300; ++i) words += "a ";
  const auto line = [](const std::string& input, const std::vector<std::string>& options) {
    return Json{{"task", "sst2"}, {"input", input}, {"options", options}}.dump() + "\n";
  };
  const std::string input = line("a film", {words + "b", words + "c"}) + line(words, {"b", "c"}) +
                            line("a film", {"b", "c"});
  const auto run = [&](const std::string& on_long) {
    return run_program({"score", "--checkpoint", model_, "--threads", "1", "--on-long", on_long},
                       input);
  };
  const Outcome cut = run("truncate");
  EXPECT_EQ(cut.code, 0);
  EXPECT_THAT(cut.err, HasSubstr("2 of 3 lines hold more than the model reads"));
  std::vector<Json> lines = json_lines(cut.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].at("truncated"), true);
  EXPECT_EQ(lines[0].at("tied").size(), 2u);
  EXPECT_EQ(lines[1].at("truncated"), true);
  EXPECT_EQ(lines[2].at("truncated"), false);
  EXPECT_FALSE(lines[2].contains("tied"));

  const Outcome marked = run("mark");
  EXPECT_EQ(marked.code, 0);
  lines = json_lines(marked.out);
  EXPECT_EQ(lines.at(0).at("finish"), "too_long");
  EXPECT_EQ(lines.at(1).at("finish"), "too_long");
  EXPECT_FALSE(lines.at(1).contains("best"));
  EXPECT_EQ(lines.at(2).at("finish"), "scored");
  EXPECT_THAT(marked.err, HasSubstr("2 of 3 lines"));

  const Outcome refused = run("error");
  EXPECT_EQ(refused.code, 65);
  lines = json_lines(refused.out);
  EXPECT_THAT(lines.at(0).at("error").get<std::string>(),
              HasSubstr("stdin:1: an option is longer"));
  EXPECT_THAT(lines.at(1).at("error").get<std::string>(),
              HasSubstr("stdin:2: the input is longer"));
  EXPECT_EQ(lines.at(2).at("finish"), "scored");
}

TEST_F(ScoreTest, ColumnsAreInputAndOptions) {
  const Outcome outcome = run_program(
      {"score", "--checkpoint", model_, "--threads", "1", "--format", "tsv", "--task", "sst2"},
      "a \"film\tgood\tbad\n");
  EXPECT_EQ(outcome.code, 0);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("options"), Json({"good", "bad"}));
  const Outcome quoted = score(R"({"task":"sst2","input":"a \"film","options":["good","bad"]})");
  EXPECT_EQ(json_lines(quoted.out).at(0).at("log_likelihoods"), lines[0].at("log_likelihoods"));
}

}  // namespace
}  // namespace trivium::cli
