#include "learning/training/multi_task_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/log_lines.h"
#include "learning/training/toy_gym.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

class TwoStageTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    write_toy_gym(folder_);
    settings_.gym = (folder_.path() / "gym").string();
    settings_.prompts = (folder_.path() / "prompts").string();
    settings_.task_vector_dim = 8;
    settings_.max_source_length = 16;
    settings_.max_target_length = 8;
    settings_.eval_examples = 2;
    settings_.optimiser.steps = 3;
    settings_.optimiser.learning_rate = 1e-2;
    settings_.optimiser.router_learning_rate = 1e-2;
    settings_.optimiser.task_vector_learning_rate = 1e-2;
    settings_.optimiser.batch_tokens = 64;
    settings_.second_stage.steps = 3;
    settings_.run.save_every = 2;
    settings_.run.eval_every = 2;
    mixture_ = load_task_mixture(Gym(settings_.gym), settings_, dense_);
  }

  fs::path output(const std::string& name) {
    settings_.run.output = (folder_.path() / name).string();
    return settings_.run.output;
  }

  TemporaryFolder folder_;
  TrainSettings settings_;
  TaskMixture mixture_;
  Checkpoint dense_ = toy_checkpoint(toy_config(1));
};

TEST_F(TwoStageTraining, SecondStageKeepsTheRoutesAndBeginsTheExpertsAnew) {
  const fs::path run = output("run");
  settings_.second_stage.temperature = 300;
  settings_.second_stage.temperature_rate = 10;  // at the floor, 1, after one step
  ASSERT_TRUE(train_on_mixture(dense_, mixture_, settings_, {}));
  const Checkpoint first = load_checkpoint(run / "first_stage" / "best");
  const Checkpoint second = load_checkpoint(run / "last");
  EXPECT_EQ(first.config().routing.selection, SelectionKind::kGumbelStraightThrough);
  EXPECT_EQ(second.config().routing.selection, SelectionKind::kSoftmax);
  EXPECT_EQ(second.config().routing.selection_temperature, 1);
  EXPECT_EQ(second.tasks.names(), (std::vector<std::string>{"first", "second"}));
  const NamedTensors learned = model_tensors(first.model), kept = model_tensors(second.model);
  for (const auto& [name, tensor] : learned) {
    const bool is_route = name.starts_with("router.") || name.starts_with("task_vectors.");
    if (is_route) {
      EXPECT_TRUE(torch::equal(tensor, kept.at(name))) << name;
    }
  }
  // One step of warm-up-free AdamW moves a weight by its rate at most, so three move it by 3e-2:
  // the experts are near the dense layers, not 3 + 3 steps away.
  const torch::Tensor start = model_tensors(dense_.model).at("encoder.layers.0.fc1.weight");
  const torch::Tensor expert = kept.at("encoder.layers.0.experts.1.fc1.weight");
  EXPECT_GT((expert - start).abs().max().item<float>(), 1e-4);
  EXPECT_LT((expert - start).abs().max().item<float>(), 3.1e-2);
}

// Whenever a stop comes, evaluations included, which are then made anew.
TEST_F(TwoStageTraining, StoppedWithTheLinesOfTheLogGivesTheBytesOfAnUnbrokenRun) {
  settings_.run.log_every = 1;
  const fs::path straight = output("straight");
  ASSERT_TRUE(train_on_mixture(dense_, mixture_, settings_, {}));
  bool finished = false;
  size_t stopped = 0;
  for (size_t line = 1; !finished; line += 4) {
    ASSERT_LT(line, 200u);
    const fs::path broken = output("broken" + std::to_string(line));
    std::atomic<bool> stop = false;
    const LogLines log([&](size_t number) { stop = stop || number == line; });
    finished = train_on_mixture(dense_, mixture_, settings_, {.stop = &stop});
    stopped += !finished;
    stop = false;
    EXPECT_TRUE(train_on_mixture(dense_, mixture_, settings_, {.stop = &stop, .resume = true}));
    EXPECT_EQ(differing_files(straight, broken), std::vector<std::string>{}) << "line " << line;
  }
  EXPECT_GE(stopped, 5u);
}

TEST_F(TwoStageTraining, ResumingAFinishedTrainingSaysSoOrRefuses) {
  settings_.second_stage.steps = 0;
  const fs::path run = output("run");
  ASSERT_TRUE(train_on_mixture(dense_, mixture_, settings_, {.resume = true}));
  const auto before = files_of(run);
  {
    const LogLines log;
    EXPECT_TRUE(train_on_mixture(dense_, mixture_, settings_, {.resume = true}));
    EXPECT_EQ(log.with("is finished: all of its 3 steps are done").size(), 1u);
  }
  const auto refusal = [&](const TrainSettings& settings, const TaskMixture& mixture) {
    return error_of([&] { train_on_mixture(dense_, mixture, settings, {.resume = true}); });
  };
  for (const int64_t steps : {2, 4}) {
    TrainSettings other = settings_;
    other.optimiser.steps = steps;
    EXPECT_THAT(refusal(other, mixture_), testing::StartsWith("73:"));
    EXPECT_THAT(refusal(other, mixture_), testing::HasSubstr("train.steps = 3 ("));
  }
  TaskMixture changed = mixture_;
  changed.examples[0].target.back() += 1;
  EXPECT_THAT(refusal(settings_, changed), testing::HasSubstr("other data"));
  EXPECT_EQ(files_of(run), before);
}

TEST_F(TwoStageTraining, RefusesWhatItCannotDo) {
  output("run");
  const auto refusal = [&](const Checkpoint& start, TrainingContext context) {
    try {
      train_on_mixture(start, mixture_, settings_, context);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(refusal(toy_checkpoint(), {}), testing::HasSubstr("dense checkpoint to start from"));
  settings_.routes = RoutePlan::kAverage;
  EXPECT_THAT(refusal(dense_, {}), testing::HasSubstr("learned routes"));
  settings_.second_stage.steps = 0;
  // So that a script can always say --resume: it begins where nothing is there yet.
  EXPECT_EQ(refusal(dense_, {.resume = true}), "no error");
  EXPECT_THAT(refusal(dense_, {}), testing::HasSubstr("holds a training"));
}

TEST_F(TwoStageTraining, TrainingLeavesItsStartAsItIs) {
  settings_.second_stage.steps = 0;
  const std::string name = "encoder.layers.0.fc1.weight";
  const torch::Tensor before = model_tensors(dense_.model).at(name).clone();
  settings_.num_experts = 1;
  output("dense");
  ASSERT_TRUE(train_on_mixture(dense_, mixture_, settings_, {}));
  EXPECT_TRUE(torch::equal(model_tensors(dense_.model).at(name), before));
  EXPECT_FALSE(torch::equal(
      model_tensors(load_checkpoint(folder_.path() / "dense" / "last").model).at(name), before));

  const Checkpoint routed = toy_checkpoint();
  const std::string expert = "encoder.layers.0.experts.0.fc1.weight";
  const torch::Tensor expert_before = model_tensors(routed.model).at(expert).clone();
  settings_.num_experts = 3;
  output("routed");
  ASSERT_TRUE(train_on_mixture(routed, mixture_, settings_, {}));
  EXPECT_TRUE(torch::equal(model_tensors(routed.model).at(expert), expert_before));
}

// Experts chosen token by token in both stacks, which neither source has: a few steps, then the
// checkpoint as it is read again, resumed and used.
TEST_F(TwoStageTraining, TokenGatesTrainInBothStacks) {
  settings_.second_stage.steps = 0;
  settings_.pool = PoolKind::kFeedForward;
  settings_.expert_noise = 0;
  settings_.optimiser.steps = 6;
  settings_.run.save_every = 6;
  const fs::path run = output("gated");
  ASSERT_TRUE(train_on_mixture(dense_, mixture_, settings_, {}));
  Checkpoint trained = load_checkpoint(run / "last");
  EXPECT_EQ(trained.config().token_experts.num_experts, 3);
  EXPECT_EQ(trained.model->num_tasks(), 2);
  ASSERT_EQ(trained.model->token_gates().size(), 4u);
  for (TokenGate& gate : trained.model->token_gates()) {
    // N(0, 0.001) at the start: six steps of AdamW at 1e-2 carry them far from there.
    EXPECT_GT(gate->weights()[0].abs().max().item<double>(), 0.01);
    EXPECT_GT(gate->weights()[1].abs().max().item<double>(), 0.01);
  }
  const NamedTensors tensors = model_tensors(trained.model);
  EXPECT_FALSE(torch::equal(tensors.at("decoder.layers.1.experts.0.fc1.weight"),
                            tensors.at("decoder.layers.1.experts.1.fc1.weight")));
  // What it was given for whole layers does not fit it any more.
  settings_.token_gates = TokenGates::kShared;
  output("other");
  EXPECT_THROW(train_on_mixture(trained, mixture_, settings_, {}), Error);
}

TEST_F(TwoStageTraining, TokenGatesLearnTheToyTasks) {
  ModelConfig config = toy_config(1);
  config.token_experts.num_experts = 2;
  Checkpoint gated;
  gated.model = Seq2SeqModel(config, 2);
  gated.model->init_weights(3);
  gated.tokenizer = tiny_tokenizer();
  const auto stream = toy_stream();
  TrainerOptions options = toy_options(folder_.path() / "toy");
  options.optimiser.steps = 120;
  Trainer trainer(gated, *stream, options, {});
  double first = 0, last = 0;
  for (int step = 0; step < 120; ++step) {
    const double loss = trainer.step().loss;
    if (step < 10) first += loss / 10;
    if (step >= 110) last += loss / 10;
  }
  EXPECT_LT(last, 0.8 * first);
}

}  // namespace
}  // namespace trivium::learning
