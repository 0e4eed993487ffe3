#include "cli/program/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "cli/commands/program.h"
#include "cli/program/build_info.h"
#include "core/kernels/instruction_set.h"

namespace trivium::cli {
namespace {

using testing::HasSubstr;

int exit_code_of_shell(const std::string& command) {
  return WEXITSTATUS(std::system((std::string(TRIVIUM_PROGRAM) + " " + command).c_str()));
}

TEST(ProgramTest, VersionSaysWhatTheProgramIsAndRunsOn) {
  const Outcome outcome = run_program({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, testing::StartsWith(std::string("trivium ") + build_info().version));
  EXPECT_THAT(outcome.out, HasSubstr("\ncommit: "));
  EXPECT_THAT(outcome.out, HasSubstr(std::string("\ninstruction set: ") +
                                     name_of(available_instruction_sets().back()) + "\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nCUDA kernels: "));
}

TEST(ProgramTest, AFullDiskIsAnError) {
  for (const char* arguments : {"--help", "generate --help", "--version", "completion bash"}) {
    EXPECT_EQ(exit_code_of_shell(std::string(arguments) + " >/dev/full 2>/dev/null"), 74)
        << arguments;
    EXPECT_EQ(exit_code_of_shell(std::string(arguments) + " >/dev/null"), 0) << arguments;
  }
}

TEST(ProgramTest, AnErrorKeepsItsCodeWhereTheDiskIsFull) {
  EXPECT_EQ(exit_code_of_shell("no-such-command >/dev/full 2>/dev/null"), 2);
}

}  // namespace
}  // namespace trivium::cli
