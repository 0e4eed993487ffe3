#include "cli/program/companion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"

namespace trivium::cli {
namespace {

TEST(CompanionTest, KnowsWhatNeedsTheTrainingProgram) {
  EXPECT_TRUE(asks_for_train_command({"train", "c.toml"}));
  EXPECT_TRUE(asks_for_train_command({"-q", "routes", "disable", "--task", "x"}));
  EXPECT_TRUE(asks_for_train_command({"generate", "--engine", "torch"}));
  EXPECT_TRUE(asks_for_train_command({"generate", "--engine=torch"}));
  EXPECT_FALSE(asks_for_train_command({"routes", "show"}));
  EXPECT_FALSE(asks_for_train_command({"generate", "--task", "train"}));
  EXPECT_FALSE(asks_for_train_command({}));
}

// trivium, with a script in the place of trivium-train.
class StartTrainProgramTest : public testing::Test {
 protected:
  void SetUp() override { ::setenv("TRIVIUM_TRAIN", script().c_str(), 1); }
  void TearDown() override { ::unsetenv("TRIVIUM_TRAIN"); }
  std::filesystem::path script() const { return folder_.path() / "train"; }
  void write_script() const {
    std::ofstream(script()) << "#!/bin/sh\necho \"$@\"\ncat\nexit 7\n";
    std::filesystem::permissions(script(), std::filesystem::perms::owner_all);
  }

  TemporaryFolder folder_;
};

TEST_F(StartTrainProgramTest, StartsWhatTheEnvironmentNames) {
  write_script();
  const Outcome outcome = run_program({"generate", "--engine", "torch"}, "a line\n");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "generate --engine torch\na line\n");
  EXPECT_EQ(run_program({"task", "add", "--checkpoint", "x"}).out, "task add --checkpoint x\n");
}

TEST_F(StartTrainProgramTest, SaysWhereTheProgramComesFromWhereItIsMissing) {
  const Outcome outcome = run_program({"train", "c.toml"});
  EXPECT_EQ(outcome.code, 69);
  EXPECT_THAT(outcome.err, testing::HasSubstr("trivium-train"));
  EXPECT_EQ(outcome.out, "");
}

}  // namespace
}  // namespace trivium::cli
