// Trainings that are stopped, skipped over and resumed: what learning/training/trainer.h promises
// of steps without a number, of --resume and of what is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "core/base/log_lines.h"
#include "learning/training/snapshot.h"
#include "learning/training/toy_training.h"
#include "learning/training/trainer.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

class TrainerStopsTest : public ::testing::Test {
 protected:
  // Trains a fresh toy model to the end.
  static void train(const TrainerOptions& options) {
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream();
    Trainer trainer(checkpoint, *stream, options, weight_sum(checkpoint));
    EXPECT_TRUE(trainer.run());
  }

  TemporaryFolder temporary_;
  fs::path output_ = temporary_.path() / "run";
};

// How many of the tensors are not what they were.
int64_t changed(const NamedTensors& before, const Seq2SeqModel& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : model_tensors(model)) {
    count += !torch::equal(tensor, before.at(name));
  }
  return count;
}

// Experts overflow while a step is made: it moves nothing, all others do, a warning names layer,
// expert and task, and the curves count it.
TEST_F(TrainerStopsTest, AStepWithoutANumberIsSkippedAndNamed) {
  TrainerOptions options = toy_options(output_);
  options.optimiser.steps = 9;
  options.optimiser.warmup = 0;
  options.run.log_every = 1;
  Checkpoint checkpoint = named_checkpoint();
  const auto set_biases = [&](float value) {
    torch::NoGradGuard no_grad;
    for (auto& item : checkpoint.model->named_parameters()) {
      if (item.key().starts_with("encoder.layers.0.") && item.key().ends_with("fc1.bias")) {
        item.value()[0] = value;
      }
    }
  };
  NamedTensors before;
  int64_t task = -1;
  auto same = toy_stream(Batching::kHomogeneous);
  WatchedStream stream(toy_stream(Batching::kHomogeneous), [&](int64_t batch) {
    const int64_t of_batch = same->next_batch().front().task;
    if (batch == 4) {
      set_biases(0);
      before = copied_tensors(checkpoint.model);
      set_biases(std::numeric_limits<float>::infinity());
      task = of_batch;
    } else if (batch == 5) {
      set_biases(0);
      EXPECT_EQ(changed(before, checkpoint.model), 0);
    } else if (batch == 6) {
      EXPECT_GT(changed(before, checkpoint.model), 10);
    }
  });
  const LogLines log;
  Trainer trainer(checkpoint, stream, options, nullptr);
  EXPECT_TRUE(trainer.run());
  EXPECT_EQ(trainer.skipped_steps(), 1);
  EXPECT_EQ(load_training_snapshot(output_ / "last").skipped, 1);
  const std::vector<std::string> warnings = log.with("is skipped");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], testing::StartsWith("step 5 is skipped (1 of at most 10 in a row): the "
                                               "loss of task " +
                                               std::string(task == 0 ? "sst2" : "sst5") + " is "));
  EXPECT_THAT(warnings[0], testing::ContainsRegex("decoder layer 1, expert [012] \\("));
  const std::string curves = read_file(output_ / "metrics.csv");
  EXPECT_THAT(curves, testing::HasSubstr("\n4,skipped_steps,0\n"));
  EXPECT_THAT(curves, testing::HasSubstr("\n5,skipped_steps,1\n"));
  EXPECT_THAT(curves, testing::HasSubstr("\n9,skipped_steps,1\n"));
  EXPECT_THAT(curves, testing::Not(testing::HasSubstr("\n5,loss,")));
  EXPECT_THAT(curves, testing::Not(testing::HasSubstr("nan")));
}

TEST_F(TrainerStopsTest, AStoppedEvaluationIsMadeWhenTheRunGoesOn) {
  const fs::path straight = temporary_.path() / "straight", broken = temporary_.path() / "broken";
  TrainerOptions options = toy_options(straight);
  train(options);
  options.run.output = broken.string();
  for (const bool stops : {true, false}) {
    std::atomic<bool> stop = false;
    options.stop = &stop;
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream();
    const Trainer::Validator whole = weight_sum(checkpoint);
    Trainer trainer(checkpoint, *stream, options,
                    [&](double temperature) -> std::optional<Validation> {
                      stop = stops;  // while it evaluates
                      if (stop) return std::nullopt;
                      return whole(temperature);
                    });
    if (!stops) trainer.resume();
    EXPECT_EQ(trainer.run(), !stops);
    EXPECT_EQ(trainer.steps_done(), stops ? 6 : 12);
  }
  EXPECT_EQ(differing_files(straight, broken), std::vector<std::string>{});
}

// --resume of what is finished, or of another training.
TEST_F(TrainerStopsTest, ResumeIsOfTheSameTraining) {
  TrainerOptions options = toy_options(output_);
  options.run.save_every = 6;
  const auto record = [](double rate, int64_t seed, const char* data) {
    return Json{{"settings", {{"train.learning_rate", rate}, {"train.seed", seed}}},
                {"start", "s"},
                {"data", data}};
  };
  options.record = record(1e-3, 1, "d");
  const auto resumed = [&](const Json& given) {
    options.record = given;
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream();
    Trainer trainer(checkpoint, *stream, options, nullptr);
    const std::string error = error_of([&] { trainer.resume(); });
    return trainer.done() ? error + "done" : error;
  };
  {
    Checkpoint checkpoint = toy_checkpoint();
    std::atomic<bool> stop = false;
    options.stop = &stop;
    WatchedStream stream(toy_stream(), [&](int64_t batch) { stop = batch == 6; });
    Trainer trainer(checkpoint, stream, options, nullptr);
    EXPECT_FALSE(trainer.run());
  }
  options.stop = nullptr;
  EXPECT_EQ(resumed(record(1e-3, 1, "d")), "");
  EXPECT_EQ(resumed(record(1e-4, 1, "d")), "");  // as helps what diverges
  EXPECT_EQ(resumed(nullptr), "");
  EXPECT_THAT(resumed(record(1e-3, 2, "d")), testing::StartsWith("73:"));
  EXPECT_THAT(resumed(record(1e-3, 2, "d")), testing::HasSubstr("train.seed = 1 (2 is asked for)"));
  EXPECT_THAT(resumed(record(1e-3, 1, "e")), testing::HasSubstr("other data"));
  options.record = record(1e-3, 1, "d");
  train(options);
  EXPECT_EQ(resumed(record(1e-3, 1, "d")), "done");
  EXPECT_THAT(resumed(record(1e-4, 1, "d")),
              testing::HasSubstr("finished training with train.learning_rate = 0.001 (0.0001 is"));
}

TEST_F(TrainerStopsTest, KeepsTheLatestSnapshots) {
  TrainerOptions options = toy_options(output_);
  options.run.save_every = 3;
  options.run.keep = 2;
  train(options);
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(output_ / "saved")) {
    names.insert(entry.path().filename());
  }
  EXPECT_EQ(names, (std::set<std::string>{"step-9", "step-12"}));
  EXPECT_EQ(files_of(output_ / "saved" / "step-12"), files_of(output_ / "last"));
  EXPECT_EQ(load_training_snapshot(output_ / "saved" / "step-9").step, 9);
  // What processes that were killed have left goes when the run goes on, also when it is finished.
  const auto whole = files_of(output_);
  temporary_.write("run/last.tmp-123/config.json", "x");
  temporary_.write("run/metrics.csv.tmp77", "x");
  temporary_.write("run/saved/tmp-5/x", "x");
  Checkpoint checkpoint = toy_checkpoint();
  auto stream = toy_stream();
  Trainer trainer(checkpoint, *stream, options, nullptr);
  trainer.resume();
  EXPECT_EQ(files_of(output_), whole);
  EXPECT_NO_THROW(load_checkpoint(output_ / "saved" / "step-9", Verify::kHashes));
}

}  // namespace
}  // namespace trivium::learning
