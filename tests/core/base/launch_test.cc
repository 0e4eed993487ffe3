#include "core/base/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace trivium {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

class LaunchTest : public ::testing::Test {
 protected:
  LaunchTest() { clear(); }
  ~LaunchTest() override { clear(); }

  static Launch launch(const Variables& variables) {
    clear();
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    return launch_from_environment();
  }
  static std::string problem(const Variables& variables) {
    try {
      launch(variables);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    return "";
  }
  static void clear() {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE",
          "TORCHELASTIC_RESTART_COUNT", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS",
          "SLURM_STEP_TASKS_PER_NODE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
          "OMPI_COMM_WORLD_LOCAL_SIZE", "LOCAL_WORLD_SIZE"}) {
      ::unsetenv(name);
    }
  }
};

TEST_F(LaunchTest, WithoutALauncherAProcessIsAlone) {
  EXPECT_EQ(launch({}).size, 1);
  // What a shell within an allocation of Slurm has is no launch.
  EXPECT_EQ(launch({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}).size, 1);
  EXPECT_EQ(launch({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).size, 1);
}

TEST_F(LaunchTest, ReadsTheVariablesOfThreeLaunchers) {
  const Launch torchrun = launch({{"RANK", "2"},
                                  {"WORLD_SIZE", "4"},
                                  {"LOCAL_WORLD_SIZE", "2"},
                                  {"MASTER_ADDR", "host"},
                                  {"MASTER_PORT", "1234"},
                                  {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                  {"TORCHELASTIC_RESTART_COUNT", "3"}});
  EXPECT_EQ(torchrun.rank, 2);
  EXPECT_EQ(torchrun.size, 4);
  EXPECT_EQ(torchrun.sharing_cores, 2);
  EXPECT_EQ(torchrun.address, "host");
  EXPECT_EQ(torchrun.port, 1234);
  EXPECT_TRUE(torchrun.launcher_serves);
  EXPECT_EQ(torchrun.attempt, "3");
  const Launch slurm = launch(
      {{"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_STEP_TASKS_PER_NODE", "2"}});
  EXPECT_EQ(slurm.rank, 1);
  EXPECT_EQ(slurm.size, 2);
  EXPECT_EQ(slurm.sharing_cores, 1);
  EXPECT_EQ(slurm.address, "127.0.0.1");
  EXPECT_FALSE(slurm.launcher_serves);
  const Launch mpi = launch({{"OMPI_COMM_WORLD_RANK", "3"},
                             {"OMPI_COMM_WORLD_SIZE", "4"},
                             {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                             {"MASTER_ADDR", "10.0.0.1"}});
  EXPECT_EQ(mpi.rank, 3);
  EXPECT_EQ(mpi.address, "10.0.0.1");
}

TEST_F(LaunchTest, SaysWhichVariableMakesNoSense) {
  EXPECT_THAT(problem({{"RANK", "x"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}),
              testing::HasSubstr("RANK is \"x\", not a number from 0 to 1"));
  EXPECT_THAT(problem({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}),
              testing::HasSubstr("RANK is \"2\""));
  EXPECT_THAT(problem({{"RANK", "0"}, {"WORLD_SIZE", "0"}}), testing::HasSubstr("WORLD_SIZE"));
  EXPECT_THAT(
      problem({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "0"}}),
      testing::HasSubstr("MASTER_PORT"));
  EXPECT_THAT(problem({{"SLURM_PROCID", "0"},
                       {"SLURM_STEP_NUM_TASKS", "4"},
                       {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"}}),
              testing::HasSubstr("set MASTER_ADDR"));
}

}  // namespace
}  // namespace trivium
