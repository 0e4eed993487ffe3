// trivium train in several processes of this machine, as torchrun starts them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

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

constexpr double kWandering = 1e-4;  // of sharded experts' weights

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

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  using Processes = std::vector<std::unique_ptr<cli::RunningProgram>>;
  Processes start(int size, const std::string& output,
                  const std::vector<std::string>& changes = {}) {
    std::vector<std::string> arguments = {"train", settings_, "--resume", "--set",
                                          "run.output=" + path(output)};
    for (const std::string& change : changes) {
      arguments.insert(arguments.end(), {"--set", change});
    }
    return start_all(size, arguments);
  }
  // The last of them with `more` arguments.
  static Processes start_all(int size, std::vector<std::string> arguments,
                             const std::vector<std::string>& more = {}) {
    ::setenv("WORLD_SIZE", std::to_string(size).c_str(), 1);
    ::setenv("MASTER_ADDR", "127.0.0.1", 1);
    ::setenv("MASTER_PORT", std::to_string(free_port()).c_str(), 1);
    Processes processes;
    for (int rank = 0; rank < size; ++rank) {
      ::setenv("RANK", std::to_string(rank).c_str(), 1);
      if (rank + 1 == size) arguments.insert(arguments.end(), more.begin(), more.end());
      processes.push_back(std::make_unique<cli::RunningProgram>(arguments));
    }
    leave_launcher();
    return processes;
  }
  static void leave_launcher() {
    for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
      ::unsetenv(name);
    }
  }
  static std::vector<int> wait(const Processes& processes) {
    std::vector<int> codes;
    for (const auto& process : processes) codes.push_back(process->wait());
    return codes;
  }

  // Two trainings' moments are the same within 1e-6, and so are their weights but for those whose
  // gradient is so near to nought that rounding decides its sign: Adam makes whole steps of it
  // all the same. Biases of keys are always of this kind, since they add the same to all attention
  // scores of a query, and are left out; of all others `wandering`, a share, may be up to a tenth
  // of one step (1e-5) apart.
  void expect_near(const std::string& a, const std::string& b, double wandering = 0) const {
    constexpr float kMost = 1e-6f, kTenthOfAStep = 1e-5f;
    const NamedTensors moments = load_training_snapshot(path(a) + "/last").optimiser;
    const NamedTensors others = load_training_snapshot(path(b) + "/last").optimiser;
    EXPECT_EQ(moments.size(), others.size());
    for (const auto& [name, tensor] : moments) {
      EXPECT_LE((tensor - others.at(name)).abs().max().item<float>(), kMost) << b << ": " << name;
    }
    const NamedTensors left = model_tensors(load_checkpoint(path(a) + "/last").model);
    const NamedTensors right = model_tensors(load_checkpoint(path(b) + "/last").model);
    EXPECT_EQ(left.size(), right.size());
    int64_t outside = 0, all = 0;
    for (const auto& [name, tensor] : left) {
      if (name.find("k_proj.bias") != std::string::npos) continue;
      const torch::Tensor difference = (tensor - right.at(name)).abs();
      outside += difference.gt(kMost).sum().item<int64_t>();
      all += difference.numel();
      EXPECT_LE(difference.max().item<float>(), kTenthOfAStep) << b << ": " << name;
    }
    EXPECT_LE(static_cast<double>(outside), wandering * static_cast<double>(all)) << b;
  }
  // Weights, moments, curves, and that there is a best checkpoint.
  void expect_same(const std::string& a, const std::string& b, double wandering = 0) const {
    expect_near(a, b, wandering);
    const auto expected = curves(a), points = curves(b);
    ASSERT_EQ(points.size(), expected.size()) << b;
    for (const auto& [name, value] : expected) {
      EXPECT_NEAR(points.at(name), value, 1e-5 * std::max(1.0, std::abs(value))) << b << name;
    }
    EXPECT_TRUE(fs::exists(path(b) + "/best"));
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
  EXPECT_GT(curves("one").size(), 20u);
  for (const int size : {2, 4}) {
    const std::string output = "of" + std::to_string(size);
    ASSERT_EQ(wait(start(size, output)), std::vector<int>(static_cast<size_t>(size), 0));
    expect_same("one", output);
  }
}

// Whole layers chosen by learned routes, which need the output of unselected experts too, and
// feed-forward parts chosen by tokens' gates. Experts have to differ for it, since the router's
// gradient is nought otherwise but for what rounding leaves of it, of which Adam makes whole steps.
// Of four processes two have an expert in each pool.
TEST_F(SeveralProcessesTest, TwoAndFourWithShardedExpertsAreOne) {
  for (const std::string pool : {"layer", "feed_forward"}) {
    const std::vector<std::string> changes = {
        "model.pool=" + pool, "train.dropout=0", "model.expert_noise=0.1",
        "model.exploration=" + std::string(pool == "layer" ? "0.2" : "0")};
    std::vector<std::string> sharded = changes;
    sharded.push_back("run.shard_experts=true");
    ASSERT_EQ(wait(start(1, pool + "1", changes)), std::vector<int>({0})) << pool;
    for (const int size : {2, 4}) {
      const std::string output = pool + std::to_string(size);
      ASSERT_EQ(wait(start(size, output, sharded)), std::vector<int>(static_cast<size_t>(size), 0))
          << output;
      expect_same(pool + "1", output, kWandering);
    }
  }
}

// A signal to one of them stops all, saved; another number of processes goes on.
TEST_F(SeveralProcessesTest, AStopAndAnotherNumberChangeNothing) {
  const std::vector<std::string> changes = {"run.log_every=2", "train.dropout=0",
                                            "model.expert_noise=0.1", "run.shard_experts=true"};
  ASSERT_EQ(wait(start(1, "one", changes)), std::vector<int>({0}));
  const Processes two = start(2, "stopped", changes);
  for (int i = 0; i < 6000 && !fs::exists(path("stopped") + "/metrics.csv"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  two[1]->signal(SIGTERM);
  const std::vector<int> codes = wait(two);
  EXPECT_EQ(codes[0], codes[1]);
  EXPECT_TRUE(codes[0] == 75 || codes[0] == 0) << codes[0];  // 0: it was done by then
  ASSERT_EQ(wait(start(4, "stopped", changes)), std::vector<int>(4, 0));
  expect_near("one", "stopped", kWandering);
}

TEST_F(SeveralProcessesTest, WhatCannotBeSharedIsRefused) {
  EXPECT_THAT(wait(start(2, "out", {"train.accumulation=1"})), testing::Contains(64));
  EXPECT_THAT(wait(start(2, "out", {"run.shard_experts=true", "train.accumulation=3"})),
              testing::Contains(64));
  for (const char* name : {"MASTER_ADDR", "MASTER_PORT"}) ::setenv(name, "1", 1);
  ::setenv("RANK", "0", 1);
  ::setenv("WORLD_SIZE", "2", 1);
  const std::string file =
      folder_
          .write("classifier.toml", "[model]\ninit = \"" + path("model") +
                                        "\"\n[run]\noutput = \"" + path("classified") + "\"\n")
          .string();
  const cli::Outcome classifier = run_program({"classifier", "train", file});
  leave_launcher();
  EXPECT_EQ(classifier.code, 2);
  EXPECT_THAT(classifier.err, testing::HasSubstr("this runs in one process"));
}

// generate, score and eval by several processes, which share the lines of a file.
class SharedLinesTest : public SeveralProcessesTest {
 protected:
  SharedLinesTest() {
    std::string lines;
    for (int i = 0; i < 300; ++i) {
      const std::string text = i % 7 == 0 ? "a" : "b a c " + std::to_string(i);
      lines +=
          i == 170 ? "no JSON\n" : "{\"input\": \"" + text + "\", \"options\": [\"a\", \"b c\"]}\n";
    }
    input_ = folder_.write("lines.jsonl", lines).string();
  }

  // Windows of 64 lines, so that each of three processes has more than one.
  std::vector<std::string> arguments(const std::string& command, const std::string& output) const {
    std::vector<std::string> all = {command, "--checkpoint", path("model"), "--threads",
                                    "1",     "--output",     path(output)};
    if (command == "eval") {
      all.insert(all.end(), {"--gym", path("gym"), "--limit", "5", "--json"});
    } else {
      all.insert(all.end(), {"--input", input_, "--batch-size", "2"});
    }
    return all;
  }
  std::vector<int> run(int size, const std::vector<std::string>& arguments) {
    return wait(start_all(size, arguments));
  }

  std::string input_;
};

TEST_F(SharedLinesTest, AnyNumberOfProcessesWritesTheSameBytes) {
  for (const std::string command : {"generate", "score", "eval"}) {
    const int code = command == "eval" ? 0 : 65;  // of the line that is no JSON
    ASSERT_EQ(run_program(arguments(command, command + "1")).code, code);
    for (const int size : {2, 3}) {
      const std::string output = command + std::to_string(size);
      const std::vector<int> codes = run(size, arguments(command, output));
      EXPECT_EQ(codes, [&] {
        std::vector<int> expected(static_cast<size_t>(size), 0);
        expected[0] = code;
        return expected;
      }());
      EXPECT_EQ(read_file(path(output)), read_file(path(command + "1"))) << output;
    }
  }
}

TEST_F(SharedLinesTest, AnotherNumberOfProcessesGoesOn) {
  ASSERT_EQ(run_program(arguments("generate", "one")).code, 65);
  const std::string whole = read_file(path("one"));
  // What a run has left that was stopped within its second window.
  std::vector<std::string> again = arguments("generate", "two");
  again.insert(again.end(), {"--max-length", "3"});
  ASSERT_EQ(run(2, again), std::vector<int>({65, 0}));
  const std::string expected = read_file(path("two"));
  size_t end = 0;
  for (int line = 0; line < 100; ++line) end = expected.find('\n', end) + 1;
  fs::remove(path("two"));
  folder_.write("two.part", expected.substr(0, end + 10));
  // The record of the run is what one that ends early leaves.
  std::vector<std::string> strict = arguments("generate", "record");
  strict.insert(strict.end(), {"--max-length", "3", "--strict"});
  EXPECT_EQ(run_program(strict).code, 65);
  fs::rename(path("record.part.run"), path("two.part.run"));
  again.push_back("--resume");
  EXPECT_EQ(run(3, again), std::vector<int>({65, 0, 0}));
  EXPECT_EQ(read_file(path("two")), expected);
  EXPECT_NE(expected, whole);
}

TEST_F(SharedLinesTest, ASignalToOneStopsAllAndOneGoesOn) {
  std::string lines;
  for (int i = 0; i < 20000; ++i) lines += "{\"input\": \"a b " + std::to_string(i) + "\"}\n";
  input_ = folder_.write("many.jsonl", lines).string();
  const Processes two = start_all(2, arguments("generate", "stopped"));
  const std::string part = path("stopped.part");
  for (int i = 0; i < 6000 && (!fs::exists(part) || fs::file_size(part) == 0); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  two[1]->signal(SIGINT);
  EXPECT_EQ(wait(two), std::vector<int>({130, 130}));
  std::vector<std::string> again = arguments("generate", "stopped");
  again.push_back("--resume");
  EXPECT_EQ(run_program(again).code, 0);
  EXPECT_EQ(run_program(arguments("generate", "whole")).code, 0);
  EXPECT_EQ(read_file(path("stopped")), read_file(path("whole")));
}

TEST_F(SharedLinesTest, ABadLineEndsAllWithStrict) {
  std::vector<std::string> strict = arguments("generate", "strict");
  strict.push_back("--strict");
  EXPECT_EQ(run(2, strict), std::vector<int>({65, 65}));
  const std::vector<std::string> lines = split(read_file(path("strict.part")), '\n');
  EXPECT_EQ(lines.size(), 170u + 1);  // and nothing behind the last line's end
}

TEST_F(SharedLinesTest, WhatTheFirstRefusesAllRefuse) {
  folder_.write("there", "x");
  EXPECT_EQ(run(2, arguments("generate", "there")), std::vector<int>({73, 73}));
  EXPECT_EQ(run(2, arguments("eval", "there")), std::vector<int>({73, 73}));
  input_ = path("nothing");
  EXPECT_EQ(run(2, arguments("score", "refused")), std::vector<int>({66, 66}));
}

// A signal ends one that waits for others that never come.
TEST_F(SharedLinesTest, WhoWaitsForOthersCanBeStopped) {
  ::setenv("RANK", "0", 1);
  ::setenv("WORLD_SIZE", "2", 1);
  ::setenv("MASTER_ADDR", "127.0.0.1", 1);
  ::setenv("MASTER_PORT", std::to_string(free_port()).c_str(), 1);
  cli::RunningProgram alone(arguments("generate", "alone"));
  leave_launcher();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  alone.signal(SIGTERM);
  EXPECT_EQ(alone.wait(), 128 + SIGTERM);
}

TEST_F(SharedLinesTest, WhatCannotBeSharedIsRefused) {
  const std::string file = std::exchange(input_, "-");
  const std::vector<std::string> from_standard_input = arguments("generate", "refused");
  input_ = file;
  EXPECT_EQ(run(2, from_standard_input), std::vector<int>({2, 2}));
  std::vector<std::string> dry = arguments("eval", "refused");
  dry.push_back("--dry-run");
  EXPECT_EQ(run(2, dry), std::vector<int>({2, 2}));
  // Two that were given different flags: the one that finds it out says so, and the other is alone.
  Processes two = start_all(2, arguments("generate", "refused"), {"--max-length", "5"});
  EXPECT_THAT(wait(two), testing::ElementsAre(69, 2));
  EXPECT_FALSE(fs::exists(path("refused")));
}

}  // namespace
}  // namespace trivium::learning
