#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class DoctorCommandTest : public ::testing::Test {
 protected:
  DoctorCommandTest() { save_checkpoint(tiny_checkpoint(), model_); }

  Outcome doctor(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"doctor", "--checkpoint", model_.string(), "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }

  TemporaryFolder temporary_;
  fs::path model_ = temporary_.path() / "model";
};

TEST_F(DoctorCommandTest, SaysOfEachThingHowItIs) {
  const Outcome outcome = doctor();
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(outcome.err, "");
  for (const std::string& line : split(outcome.out, '\n')) {
    if (line.empty()) continue;
    EXPECT_TRUE(line.starts_with("ok  ") || line.starts_with("warning ") ||
                line.starts_with("         "))
        << line;
  }
  EXPECT_THAT(outcome.out, HasSubstr(model_.string() + ": all 7 files are as they were saved\n"));
  EXPECT_THAT(outcome.out, HasSubstr("instruction sets; its likelihoods differ by at most "));
}

TEST_F(DoctorCommandTest, TheSameAsOneObject) {
  const Outcome outcome = doctor({"--json"});
  EXPECT_EQ(outcome.code, 0);
  const std::vector<Json> lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("healthy"), true);
  std::vector<std::string> topics;
  for (const Json& finding : lines[0].at("findings")) {
    topics.push_back(finding.at("topic").get<std::string>());
    EXPECT_NE(finding.at("text"), "");
    EXPECT_EQ(finding.contains("advice"), finding.at("health") != "ok") << finding;
  }
  EXPECT_THAT(topics,
              ElementsAre("program", "processor", "cores", "memory", "CUDA", "trivium-train",
                          "home", "history", "terminal", "checkpoint", "self-test"));
}

TEST_F(DoctorCommandTest, EndsWithTheCodeOfWhatFailed) {
  std::ofstream(model_ / "tasks.json", std::ios::app) << " ";
  const Outcome outcome = doctor();
  EXPECT_EQ(outcome.code, 76);
  EXPECT_THAT(outcome.out, HasSubstr("\nfailed   checkpoint     "));
  EXPECT_EQ(Json::parse(doctor({"--json"}).out).at("healthy"), false);
  fs::remove_all(model_);
  EXPECT_EQ(doctor().code, 66);
}

TEST_F(DoctorCommandTest, ThereIsADocumentedCodeWhereTheProgramsOwnFilesAreMissing) {
  const fs::path program = temporary_.path() / "trivium";
  fs::copy_file(TRIVIUM_PROGRAM, program);
  const Outcome outcome = run_program_at(program, {"doctor"});
  EXPECT_EQ(outcome.code, 66);
  EXPECT_THAT(outcome.out, HasSubstr("\nfailed   home           "));
  EXPECT_THAT(outcome.out, HasSubstr("set TRIVIUM_HOME"));
}

}  // namespace
}  // namespace trivium::cli
