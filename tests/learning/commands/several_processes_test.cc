// trivium train in several processes of this machine, as torchrun starts them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"
#include "learning/processes/together.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/snapshot.h"
#include "learning/training/toy_gym.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;
using cli::run_program;

class SeveralProcessesTest : public ::testing::Test {
 protected:
  SeveralProcessesTest() {
    write_toy_gym(folder_);
    settings_ =
        folder_
            .write("train.toml", "[model]\ninit = \"" + path("model") +
                                     "\"\nnum_experts = 2\ntask_vector_dim = 4\nexploration = "
                                     "0.2\n[data]\ngym = \"" +
                                     path("gym") + "\"\nprompts = \"" + path("prompts") +
                                     "\"\nmax_source_length = 32\nmax_target_length = 16\n"
                                     "[train]\nsteps = 6\naccumulation = 4\nbatch_tokens = "
                                     "64\nwarmup = 0\nthreads = 1\n[run]\nlog_every = "
                                     "1\nsave_every = 3\neval_every = 3\n")
            .string();
    EXPECT_EQ(
        run_program({"import", "--from", TRIVIUM_TEST_DATA "/tiny_bart", "--output", path("model")})
            .code,
        0);
  }
  ~SeveralProcessesTest() override {
    for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
      ::unsetenv(name);
    }
  }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  using Processes = std::vector<std::unique_ptr<cli::RunningProgram>>;
  Processes start(int size, const std::string& output, const std::string& change = "run.keep=0") {
    ::setenv("WORLD_SIZE", std::to_string(size).c_str(), 1);
    ::setenv("MASTER_ADDR", "127.0.0.1", 1);
    ::setenv("MASTER_PORT", std::to_string(free_port()).c_str(), 1);
    Processes processes;
    for (int rank = 0; rank < size; ++rank) {
      ::setenv("RANK", std::to_string(rank).c_str(), 1);
      processes.push_back(std::make_unique<cli::RunningProgram>(std::vector<std::string>{
          "train", settings_, "--resume", "--set", "run.output=" + path(output), "--set", change}));
    }
    return processes;
  }
  static std::vector<int> wait(const Processes& processes) {
    std::vector<int> codes;
    for (const auto& process : processes) codes.push_back(process->wait());
    return codes;
  }

  // The largest difference between two trainings' weights and moments, but for the biases of keys:
  // those add the same to all attention scores of a query, so that their gradient is nought but for
  // what rounding leaves of it, and Adam makes whole steps of that.
  float difference(const std::string& a, const std::string& b) const {
    float most = 0;
    const auto compare = [&](const NamedTensors& left, const NamedTensors& right) {
      EXPECT_EQ(left.size(), right.size());
      for (const auto& [name, tensor] : left) {
        if (name.find("k_proj.bias") != std::string::npos) continue;
        most = std::max(most, (tensor - right.at(name)).abs().max().item<float>());
      }
    };
    compare(model_tensors(load_checkpoint(path(a) + "/last").model),
            model_tensors(load_checkpoint(path(b) + "/last").model));
    compare(load_training_snapshot(path(a) + "/last").optimiser,
            load_training_snapshot(path(b) + "/last").optimiser);
    return most;
  }
  // Every point of the curves, by "step,curve".
  std::map<std::string, double> curves(const std::string& output) const {
    std::map<std::string, double> points;
    for (const std::string& line : split(read_file(path(output) + "/metrics.csv"), '\n')) {
      const size_t comma = line.rfind(',');
      if (comma != std::string::npos && line != "step,curve,value") {
        points[line.substr(0, comma)] = std::stod(line.substr(comma + 1));
      }
    }
    return points;
  }

  TemporaryFolder folder_;
  std::string settings_;
};

TEST_F(SeveralProcessesTest, TwoAndFourAreOne) {
  ASSERT_EQ(wait(start(1, "one")), std::vector<int>({0}));
  const auto expected = curves("one");
  EXPECT_GT(expected.size(), 20u);
  for (const int size : {2, 4}) {
    const std::string output = "of" + std::to_string(size);
    ASSERT_EQ(wait(start(size, output)), std::vector<int>(static_cast<size_t>(size), 0));
    EXPECT_LE(difference("one", output), 1e-6f) << size;
    const auto points = curves(output);
    ASSERT_EQ(points.size(), expected.size());
    for (const auto& [name, value] : expected) {
      EXPECT_NEAR(points.at(name), value, 1e-5 * std::max(1.0, std::abs(value))) << name;
    }
    EXPECT_TRUE(fs::exists(path(output) + "/best"));
  }
}

// A signal to one of them stops all, saved; another number of processes goes on.
TEST_F(SeveralProcessesTest, AStopAndAnotherNumberChangeNothing) {
  ASSERT_EQ(wait(start(1, "one", "run.log_every=2")), std::vector<int>({0}));
  const Processes two = start(2, "stopped", "run.log_every=2");
  for (int i = 0; i < 6000 && !fs::exists(path("stopped") + "/metrics.csv"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  two[1]->signal(SIGTERM);
  const std::vector<int> codes = wait(two);
  EXPECT_EQ(codes[0], codes[1]);
  EXPECT_TRUE(codes[0] == 75 || codes[0] == 0) << codes[0];  // 0: it was done by then
  ASSERT_EQ(wait(start(4, "stopped", "run.log_every=2")), std::vector<int>(4, 0));
  EXPECT_LE(difference("one", "stopped"), 1e-6f);
}

TEST_F(SeveralProcessesTest, WhatCannotBeSharedIsRefused) {
  const Processes many = start(2, "out", "train.accumulation=1");
  EXPECT_THAT(wait(many), testing::Contains(64));
  ::setenv("RANK", "0", 1);
  const std::string file =
      folder_
          .write("classifier.toml", "[model]\ninit = \"" + path("model") +
                                        "\"\n[run]\noutput = \"" + path("classified") + "\"\n")
          .string();
  const cli::Outcome classifier = run_program({"classifier", "train", file});
  EXPECT_EQ(classifier.code, 2);
  EXPECT_THAT(classifier.err, testing::HasSubstr("this runs in one process"));
}

}  // namespace
}  // namespace trivium::learning
