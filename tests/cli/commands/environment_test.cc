// Values of flags from the environment: which flags, by what names, and what goes before what.
#include "cli/program/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "cli/commands/commands.h"
#include "cli/commands/program.h"
#include "core/base/temporary_folder.h"
#include "core/checkpoint/tiny_checkpoint.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() { save_checkpoint(tiny_checkpoint(), model_); }
  ~EnvironmentTest() override {
    for (const std::string& flag : environment_flags()) {
      ::unsetenv(environment_name(flag).c_str());
    }
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

  TemporaryFolder temporary_;
  std::string model_ = (temporary_.path() / "model").string();
};

TEST_F(EnvironmentTest, TheCommandLineGoesBeforeTheEnvironmentAndThatBeforeTheDefault) {
  set("TRIVIUM_CHECKPOINT", (temporary_.path() / "nowhere").string());
  EXPECT_EQ(run_program({"task", "list"}).code, 66) << "the environment before the default";
  EXPECT_EQ(run_program({"task", "list", "--checkpoint", model_}).code, 0);
  set("TRIVIUM_CHECKPOINT", model_);
  const Outcome outcome = run_program({"task", "list"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("3 tasks"));
  set("TRIVIUM_CHECKPOINT", "");
  EXPECT_THAT(run_program({"task", "list"}).out, Not(HasSubstr("3 tasks"))) << "empty is not set";
}

TEST_F(EnvironmentTest, AlsoOfFlagsWithoutValuesAndOfChoices) {
  set("TRIVIUM_CHECKPOINT", model_);
  set("TRIVIUM_THREADS", "1");
  std::string words;
  for (int i = 0; i < 300; ++i) words += "a ";
  const std::vector<std::string> generate = {"generate", "--task", "sst2"};
  EXPECT_THAT(run_program(generate, words).err, HasSubstr("1 of 1 lines hold more"));
  set("TRIVIUM_ON_LONG", "mark");
  EXPECT_EQ(json_lines(run_program(generate, words).out).at(0).at("finish"), "too_long");
  const std::string output = (temporary_.path() / "out").string();
  const auto exported = [&](const std::string& name) {
    return run_program({"export", "--output", output + name}).err;
  };
  EXPECT_THAT(exported("1"), HasSubstr("wrote "));
  set("TRIVIUM_QUIET", "1");
  EXPECT_EQ(exported("2"), "");
  set("TRIVIUM_QUIET", "false");
  EXPECT_THAT(exported("3"), HasSubstr("wrote "));
}

TEST_F(EnvironmentTest, ABadValueIsNamedByItsVariableWhereACommandTakesIt) {
  set("TRIVIUM_CHECKPOINT", model_);
  set("TRIVIUM_THREADS", "many");
  Outcome outcome = run_program({"generate"}, "a film\n");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("TRIVIUM_THREADS in the environment says so"));
  EXPECT_EQ(run_program({"task", "list"}).code, 0) << "it has no --threads";
  EXPECT_EQ(run_program({"generate", "--threads", "1"}, "a film\n").code, 0);
  outcome = run_program({"generate", "--threads", "few"}, "a film\n");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, Not(HasSubstr("in the environment")));
  set("TRIVIUM_COMPUTE", "int3");
  outcome = run_program({"generate", "--threads", "1"}, "a film\n");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("TRIVIUM_COMPUTE in the environment says so"));
}

void count_flags(CLI::App& app, std::map<std::string, int>& commands_of) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) ++commands_of[name];
  }
  for (CLI::App* inner : app.get_subcommands([](CLI::App*) { return true; })) {
    count_flags(*inner, commands_of);
  }
}

// Every name in the table is that of a flag, and help and man page have its variable.
TEST_F(EnvironmentTest, TheHelpAndTheManualHaveEveryVariable) {
  CLI::App app("a description", "trivium");
  int status = 0;
  add_commands(app, status);
  std::map<std::string, int> commands_of;
  count_flags(app, commands_of);
  const std::string manual = run_program({"man"}).out;
  std::string helps;
  for (const char* command : {"--help", "generate", "serve", "eval"}) {
    helps += run_program({command, "--help"}).out;
  }
  for (const std::string& flag : environment_flags()) {
    const bool is_programs = flag == "quiet" || flag == "verbose";
    EXPECT_TRUE(is_programs || commands_of.contains(flag)) << flag;
    EXPECT_THAT(manual, HasSubstr("\n.B " + environment_name(flag) + "\n"));
    EXPECT_THAT(helps, HasSubstr("(Env:" + environment_name(flag) + ")"));
  }
  EXPECT_EQ(environment_name("batch-size"), "TRIVIUM_BATCH_SIZE");
}

}  // namespace
}  // namespace trivium::cli
