// trivium experiment as a user gives it. What the studies compute is tested in research/studies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"

namespace trivium::research {
namespace {

using cli::Outcome;
using cli::run_program;
using ::testing::HasSubstr;

TEST(ExperimentCommandTest, ExplainsItsSettings) {
  for (const char* name : {"task-level", "mt-tag"}) {
    const Outcome outcome = run_program({"experiment", name, "--settings"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("experiment.output"));
  }
}

TEST(ExperimentCommandTest, ConfigShowHasTheStudies) {
  const TemporaryFolder folder;
  const std::string file = folder.write("study.toml", "[experiment]\noutput = \"a\"\n").string();
  for (const char* name : {"task-level", "mt-tag"}) {
    const Outcome outcome = run_program({"config", "show", name, file});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("output = 'a'  # " + file + ":2\n"));
    EXPECT_THAT(outcome.out, HasSubstr("  # default\n"));
  }
}

TEST(ExperimentCommandTest, SaysWhatIsWrongBeforeAnyWork) {
  TemporaryFolder folder;
  const std::string file =
      folder.write("study.toml", "[experiment]\nmethodes = [\"vanilla\"]\n").string();
  const Outcome unknown = run_program({"experiment", "task-level", file});
  EXPECT_EQ(unknown.code, 64);
  EXPECT_THAT(unknown.err, HasSubstr("study.toml:2: unknown setting \"experiment.methodes\""));
  std::filesystem::create_directories(folder.path() / "gym" / "task");
  folder.write("gym/task/task.json",
               R"({"name": "task", "family": "made up", "fields": ["text", "label"],
                   "inputs": ["text"], "target": "label", "labels": ["a", "b"],
                   "metric": "accuracy"})");
  const std::string start =
      folder
          .write("start.toml", "[experiment]\ninit = \"" + (folder.path() / "none").string() +
                                   "\"\ngym = \"" + (folder.path() / "gym").string() +
                                   "\"\noutput = \"" + (folder.path() / "out").string() + "\"\n")
          .string();
  const Outcome missing = run_program({"experiment", "task-level", start});
  EXPECT_EQ(missing.code, 66) << missing.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out" / "task_level.md"));
  const Outcome tables =
      run_program({"experiment", "mt-tag", start, "--set", "experiment.tables=[\"T77\"]"});
  EXPECT_EQ(tables.code, 64) << tables.err;
  EXPECT_THAT(tables.err, HasSubstr("T77"));
}

}  // namespace
}  // namespace trivium::research
