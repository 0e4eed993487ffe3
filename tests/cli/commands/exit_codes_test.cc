// What the program ends with, and that a user's error is one line on standard error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cli/commands/program.h"
#include "cli/program/companion.h"
#include "core/base/temporary_folder.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void expect_one_line(const Outcome& outcome) {
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, StartsWith("error: "));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_EQ(outcome.err.back(), '\n');
}

TEST(ExitCodesTest, HelpIsNoError) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"generate", "--help"}, {"routes", "show", "--help"}}) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_THAT(outcome.out, HasSubstr("Usage: "));
  }
  const std::string help = run_program({"--help"}).out;
  for (const char* command : {"repl", "generate", "score", "eval", "routes", "task", "export",
                              "tokenizer", "bench", "train", "pretrain", "adapt", "import"}) {
    EXPECT_THAT(help, HasSubstr(std::string("\n  ") + command + " ")) << command;
  }
}

TEST(ExitCodesTest, WrongUsageIsTwoAndPointsToTheHelp) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{},
        {"genrate"},
        {"generate", "--no-such-flag"},
        {"routes"},
        {"generate", "--threads", "many"},
        {"export", "--checkpoint", "x"},
        {"export", "--checkpoint", "x", "--output", "y", "--storage", "int4"}}) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 2);
    expect_one_line(outcome);
    EXPECT_THAT(outcome.err, HasSubstr("see trivium --help"));
  }
}

TEST(ExitCodesTest, WhatIsMissingOrNoCheckpointHasItsCode) {
  TemporaryFolder folder;
  const std::string nowhere = (folder.path() / "nowhere").string();
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"generate", "--checkpoint", nowhere},
        {"task", "list", "--checkpoint", nowhere},
        {"routes", "show", "--checkpoint", nowhere},
        {"export", "--checkpoint", nowhere, "--output", nowhere},
        {"tokenizer", "encode", "--checkpoint", nowhere}}) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 66) << arguments[0];
    expect_one_line(outcome);
    EXPECT_THAT(outcome.err, HasSubstr(nowhere));
  }
  folder.write("broken/manifest.json", "{");
  const std::string broken = (folder.path() / "broken").string();
  const Outcome outcome = run_program({"task", "list", "--checkpoint", broken});
  EXPECT_EQ(outcome.code, 76);
  expect_one_line(outcome);
}

// A copy of the program in a folder of its own, without trivium-train beside it.
class LonelyProgramTest : public ::testing::Test {
 protected:
  LonelyProgramTest() {
    fs::copy_file(TRIVIUM_PROGRAM, program_);
    ::setenv("TRIVIUM_HOME", TRIVIUM_SOURCE_DIR, 1);
  }
  ~LonelyProgramTest() override { ::unsetenv("TRIVIUM_HOME"); }

  Outcome run(const std::vector<std::string>& arguments) const {
    return run_program_at(program_, arguments);
  }

  TemporaryFolder temporary_;
  fs::path program_ = temporary_.path() / "trivium";
};

TEST_F(LonelyProgramTest, WithoutTriviumTrainItsCommandsAreNotAvailable) {
  for (const TrainCommand& command : train_commands()) {
    std::vector<std::string> arguments;
    if (*command.parent != '\0') arguments.push_back(command.parent);
    arguments.push_back(command.name);
    for (const std::vector<std::string>& more :
         {std::vector<std::string>{}, {"--help"}, {"x.toml", "--set", "a=b"}}) {
      std::vector<std::string> all = arguments;
      all.insert(all.end(), more.begin(), more.end());
      const Outcome outcome = run(all);
      EXPECT_EQ(outcome.code, 69) << command.name;
      expect_one_line(outcome);
      EXPECT_THAT(outcome.err, HasSubstr("this needs trivium-train, which is not beside"));
    }
  }
  EXPECT_EQ(run({"generate", "--engine", "torch"}).code, 69);
  EXPECT_EQ(run({"--quiet", "train"}).code, 69);
  EXPECT_EQ(run({"generate", "--help"}).code, 0);
}

TEST_F(LonelyProgramTest, TriviumTrainGetsTheArgumentsAndGivesItsExitCode) {
  const fs::path train =
      temporary_.write("trivium-train", "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 75\n");
  fs::permissions(train, fs::perms::owner_all);
  const Outcome outcome = run({"-q", "train", "a b.toml", "--set", "train.steps=3", ""});
  EXPECT_EQ(outcome.code, 75);
  EXPECT_EQ(outcome.out, "<-q><train><a b.toml><--set><train.steps=3><>");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(run({"generate", "--engine=torch"}).out, "<generate><--engine=torch>");
  EXPECT_EQ(run({"tokenizer", "train"}).code, 2) << "trivium has a train of its own there";
}

TEST_F(LonelyProgramTest, ATriviumTrainThatCannotRunIsAnError) {
  temporary_.write("trivium-train", "no program");
  const Outcome outcome = run({"train", "x.toml"});
  EXPECT_EQ(outcome.code, 74);
  expect_one_line(outcome);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("cannot start"), HasSubstr("trivium-train")));
}

}  // namespace
}  // namespace trivium::cli
