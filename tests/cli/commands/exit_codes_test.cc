// What the program ends with, and that a user's error is one line on standard error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cli/commands/commands.h"
#include "cli/commands/program.h"
#include "cli/program/companion.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
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
        {"generat"},
        {"generate", "--no-such-flag"},
        {"routes"},
        {"routes", "sho"},
        {"generate", "--threads", "many"},
        {"export", "--output", "y"},
        {"export", "--checkpoint", "x", "--output", "y", "--storage", "int4"}}) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 2);
    expect_one_line(outcome);
    const bool is_known = !arguments.empty() && arguments[0] != "generat";
    EXPECT_THAT(outcome.err, HasSubstr(is_known ? "see trivium " + arguments[0] + " --help\n"
                                                : "see trivium --help\n"));
  }
}

TEST(ExitCodesTest, WhatIsMisspeltGetsASuggestion) {
  const auto message = [](const std::vector<std::string>& arguments) {
    return run_program(arguments).err;
  };
  EXPECT_THAT(message({"generat"}), HasSubstr("did you mean generate?"));
  EXPECT_THAT(message({"pretrian"}), HasSubstr("did you mean pretrain"));
  EXPECT_THAT(message({"routes", "sho"}), HasSubstr("did you mean show?"));
  EXPECT_THAT(message({"generate", "--chekpoint", "x"}), HasSubstr("did you mean --checkpoint?"));
  EXPECT_THAT(message({"task", "show", "sst2", "--jsn"}), HasSubstr("did you mean --json?"));
  EXPECT_THAT(message({"bogus"}), HasSubstr("there is no command bogus; there are "));
  EXPECT_THAT(message({"task", "bogus", "--json"}), HasSubstr("there is no command bogus; "));
  EXPECT_THAT(message({"export", "--output", "y"}), Not(HasSubstr("did you mean")));
}

void expect_examples(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands({})) {
    const std::string full = name + " " + command->get_name();
    EXPECT_THAT(command->get_footer(), HasSubstr("Example")) << full;
    expect_examples(*command, full);
  }
}

TEST(ExitCodesTest, EveryCommandHasAnExample) {
  CLI::App app("a description", "trivium");
  int status = 0;
  add_commands(app, status);
  expect_examples(app, "trivium");
}

TEST(ExitCodesTest, OutputThatCannotBeWrittenIs74) {
  TemporaryFolder folder;
  save_checkpoint(tiny_checkpoint(), folder.path() / "model");
  const std::string model = " --checkpoint '" + (folder.path() / "model").string() + "'";
  for (const std::string& command :
       {std::string("--help"), std::string("--version"), std::string("generate --help"),
        "repl" + model, "tokenizer encode" + model, "task list" + model, "routes show" + model,
        "generate" + model, std::string("man"), std::string("completion bash")}) {
    const Outcome outcome = run_program_at(
        "/bin/sh", {"-c", "'" TRIVIUM_PROGRAM "' " + command + " >/dev/full"}, "a film\n");
    EXPECT_EQ(outcome.code, 74) << command;
    EXPECT_THAT(outcome.err, HasSubstr("cannot write standard output")) << command;
  }
}

TEST(ExitCodesTest, OutputsThatCannotBeAreSaidBeforeAnythingIsRead) {
  TemporaryFolder folder;
  const std::string file = folder.write("file", "x").string(), nowhere = "nowhere";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"export", "--checkpoint", nowhere, "--output", ""},
        {"export", "--checkpoint", nowhere, "--output", file},
        {"tokenizer", "train", "--input", nowhere, "--output", ""},
        {"tokenizer", "train", "--input", nowhere, "--output", file + "/inside"},
        {"generate", "--checkpoint", nowhere, "--output", ""},
        {"generate", "--checkpoint", nowhere, "--output", folder.path().string()}}) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 64) << arguments[0] << ": " << outcome.err;
    expect_one_line(outcome);
    EXPECT_THAT(outcome.err, HasSubstr("--output"));
    EXPECT_THAT(outcome.err, HasSubstr("; name "));
  }
}

TEST(ExitCodesTest, WhatIsMissingOrNoCheckpointHasItsCode) {
  TemporaryFolder folder;
  const std::string file = folder.write("weights", "x").string();
  EXPECT_THAT(run_program({"task", "list", "--checkpoint", file}).err,
              HasSubstr(file + " is a file; a checkpoint is a folder"));
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
