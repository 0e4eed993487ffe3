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

using Words = std::vector<std::string>;

TEST(CompanionTest, KnowsItsCommandsWhereTheyStand) {
  for (const TrainCommand& command : train_commands()) {
    Words arguments;
    if (*command.parent != '\0') arguments.push_back(command.parent);
    arguments.push_back(command.name);
    EXPECT_TRUE(asks_for_train_command(arguments)) << command.name;
    arguments.push_back("--help");
    EXPECT_TRUE(asks_for_train_command(arguments)) << command.name;
    arguments.insert(arguments.begin(), "--quiet");
    EXPECT_TRUE(asks_for_train_command(arguments)) << command.name;
    EXPECT_EQ(help_of_train_command(command.parent, command.name), command.help);
  }
  EXPECT_THROW(help_of_train_command("", "disable"), std::logic_error);
}

TEST(CompanionTest, LeavesTheOthersToTrivium) {
  for (const Words& arguments :
       {Words{}, Words{"--help"}, Words{"generate"}, Words{"routes"}, Words{"routes", "show"},
        Words{"tokenizer", "train"}, Words{"disable"}, Words{"task", "--help", "add"},
        Words{"generate", "--task", "train"}, Words{"generate", "train"},
        Words{"task", "show", "add"}, Words{"generate", "--engine", "fast"},
        Words{"generate", "--task", "torch"}, Words{"-q", "bench", "kernels"}}) {
    EXPECT_FALSE(asks_for_train_command(arguments)) << ::testing::PrintToString(arguments);
  }
}

TEST(CompanionTest, KnowsLibTorchsEngine) {
  EXPECT_TRUE(asks_for_train_command({"generate", "--engine", "torch"}));
  EXPECT_TRUE(asks_for_train_command({"eval", "--engine=torch", "--json"}));
}

TEST(CompanionTest, ALaunchersSeveralProcessesAreConnectedByLibTorch) {
  ::setenv("RANK", "0", 1);
  ::setenv("WORLD_SIZE", "2", 1);
  ::setenv("MASTER_ADDR", "127.0.0.1", 1);
  for (const char* command : {"generate", "score", "eval"}) {
    EXPECT_TRUE(asks_for_train_command({"-q", command, "--input", "a"})) << command;
  }
  EXPECT_FALSE(asks_for_train_command({"verify"}));
  ::setenv("WORLD_SIZE", "1", 1);
  EXPECT_FALSE(asks_for_train_command({"generate"}));
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR"}) ::unsetenv(name);
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
