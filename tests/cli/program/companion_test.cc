#include "cli/program/companion.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace trivium::cli
