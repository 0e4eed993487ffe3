// --dry-run of generate and score: what would be done, and nothing done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DryRunTest : public ::testing::Test {
 protected:
  DryRunTest() { save_checkpoint(tiny_checkpoint(), model_); }

  Outcome run(const std::string& command, const std::vector<std::string>& more,
              const std::string& input) const {
    std::vector<std::string> all = {command, "--checkpoint", model_, "--threads", "1", "--dry-run"};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all, input);
  }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
  std::string output_ = (temporary_.path() / "out").string();
};

TEST_F(DryRunTest, CountsTheLinesByWhatBecomesOfThem) {
  std::string words;
  for (int i = 0; i < 300; ++i) words += "a ";
  const std::string input =
      "{\"task\":\"sst2\",\"input\":\"a film\"}\n\n{\"input\":\n"
      "{\"task\":\"mnli\",\"input\":{\"premise\":\"it rains\",\"hypothesis\":\"it is dry\"}}\n"
      "{\"task\":\"sst9\",\"input\":\"a film\"}\n{\"input\":\"\xce\xb6\xce\xb6\xce\xb6\"}\n"
      "{\"task\":\"sst2\",\"input\":\"" +
      words + "\"}\n";
  const Outcome outcome = run("generate", {"--output", output_}, input);
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err, HasSubstr("stdin:3: "));
  EXPECT_THAT(outcome.err, HasSubstr("stdin:5: "));
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report.at("lines"), 7);
  EXPECT_EQ(report.at("to_answer"), 3);
  EXPECT_EQ(report.at("tasks"), (Json{{"mnli", 1}, {"sst2", 2}}));
  EXPECT_EQ(report.at("empty"), 1);
  EXPECT_EQ(report.at("bad"), 2);
  EXPECT_EQ(report.at("no_task"), 1);
  EXPECT_EQ(report.at("long"), 1);
  // Three prompts of two beams and ten tokens, and their sources; a key and a value of two layers.
  EXPECT_EQ(report.at("memory").at("cells_bytes"), (3 * 2 * 10 + 4096) * 2 * 2 * 32 * 4);
  for (const char* rest : {"", ".part", ".part.run", ".lock"}) {
    EXPECT_FALSE(fs::exists(output_ + rest)) << rest;
  }
  EXPECT_EQ(run("generate", {}, "a film\n").code, 0);
}

TEST_F(DryRunTest, RefusesWhatTheRunWouldRefuse) {
  EXPECT_EQ(run("generate", {"--task", "sst9"}, "a\n").code, 66);
  EXPECT_EQ(run("generate", {"--max-length", "201"}, "a\n").code, 2);
  EXPECT_EQ(run("generate", {"--strict"}, "{\n").code, 65);
  std::ofstream(output_) << "old";
  EXPECT_EQ(run("generate", {"--output", output_}, "a\n").code, 73);
  EXPECT_EQ(run("generate", {"--output", output_, "--overwrite"}, "a\n").code, 0);
  EXPECT_EQ(read_file(output_), "old");
}

// Of a run that was stopped nothing is lost.
TEST_F(DryRunTest, LeavesAPartAsItIs) {
  std::ofstream(output_ + ".part") << "half";
  EXPECT_EQ(run("generate", {"--output", output_}, "a\n").code, 73);
  EXPECT_EQ(run("generate", {"--output", output_, "--overwrite"}, "a\n").code, 0);
  EXPECT_EQ(run("generate", {"--output", output_, "--resume"}, "a\n").code, 0);
  EXPECT_EQ(read_file(output_ + ".part"), "half");
}

TEST_F(DryRunTest, ScoreNeedsOptions) {
  const Outcome outcome = run("score", {},
                              "{\"task\":\"sst2\",\"input\":\"a film\"}\n"
                              "{\"task\":\"gsm8k_answer\",\"input\":\"how many\"}\n");
  EXPECT_EQ(outcome.code, 65);
  EXPECT_THAT(outcome.err, HasSubstr("stdin:2: no \"options\""));
  EXPECT_EQ(Json::parse(outcome.out).at("to_answer"), 1);
}

}  // namespace
}  // namespace trivium::cli
