#include "learning/training/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "learning/model/loss.h"
#include "learning/model/model_routes.h"
#include "learning/model/selection.h"
#include "learning/storage/expert_copies.h"
#include "learning/training/snapshot.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

class TrainerTest : public ::testing::Test {
 protected:
  // Trains a fresh toy model to the end.
  Checkpoint train(const TrainerOptions& options, Batching batching = Batching::kHeterogeneous) {
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream(batching);
    Trainer trainer(checkpoint, *stream, options, weight_sum(checkpoint));
    EXPECT_TRUE(trainer.run());
    return checkpoint;
  }

  TemporaryFolder temporary_;
  fs::path output_ = temporary_.path() / "run";
};

TEST_F(TrainerTest, LossFallsOnAToyTask) {
  const std::vector<std::pair<SelectionKind, Precision>> kinds = {
      {SelectionKind::kSoftmax, Precision::kFloat32},
      {SelectionKind::kGumbelStraightThrough, Precision::kFloat32},
      {SelectionKind::kGumbelStraightThrough, Precision::kBfloat16}};
  for (const auto& [selection, precision] : kinds) {
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream();
    TrainerOptions options = toy_options(output_);
    options.optimiser.precision = precision;
    options.optimiser.steps = 120;
    options.optimiser.learning_rate = 2e-2;
    options.optimiser.label_smoothing = 0;
    options.routes.selection = selection;
    Trainer trainer(checkpoint, *stream, options, nullptr);
    double first = 0, last = 0;
    for (int step = 0; step < 120; ++step) {
      const double loss = trainer.step().loss;
      if (step < 5) first += loss / 5;
      if (step >= 115) last += loss / 5;
    }
    EXPECT_NEAR(first, std::log(100.0), 1.0);
    // Targets are 3 of 6 letters in the mean, of 3 lengths: who ignores the source cannot come
    // below (3 ln 6 + ln 3) / 5 = 1.29 a token.
    EXPECT_LT(last, 1.2) << name_in(precision_names(), precision);
  }
}

TEST_F(TrainerTest, SameSeedGivesTheSameBytes) {
  for (int run = 0; run < 3; ++run) {
    TrainerOptions options = toy_options(temporary_.path() / std::to_string(run));
    options.optimiser.dropout = 0.1;
    options.optimiser.attention_dropout = 0.1;
    options.optimiser.seed = run < 2 ? 1 : 2;
    train(options);
  }
  EXPECT_EQ(differing_files(temporary_.path() / "0", temporary_.path() / "1"),
            std::vector<std::string>{});
  EXPECT_FALSE(differing_files(temporary_.path() / "0", temporary_.path() / "2").empty());
}

// The heart of --resume: noise, dropout, the stream, the optimiser, curves and best/ all go on.
TEST_F(TrainerTest, StoppedAndResumedGivesTheBytesOfAnUnbrokenRun) {
  for (const int64_t stop_at : {5, 7}) {
    const fs::path straight = temporary_.path() / "straight", broken = temporary_.path() / "broken";
    fs::remove_all(straight);
    fs::remove_all(broken);
    TrainerOptions options = toy_options(straight);
    options.optimiser.dropout = 0.1;
    options.optimiser.attention_dropout = 0.1;
    options.optimiser.accumulation = 2;
    train(options);

    options.run.output = broken.string();
    std::atomic<bool> stop = false;
    options.stop = &stop;
    {
      Checkpoint checkpoint = toy_checkpoint();
      WatchedStream stream(toy_stream(), [&](int64_t batch) { stop = batch == 2 * stop_at - 1; });
      Trainer trainer(checkpoint, stream, options, weight_sum(checkpoint));
      EXPECT_FALSE(trainer.run());
      EXPECT_EQ(trainer.steps_done(), stop_at);
      EXPECT_EQ(load_training_snapshot(broken / "last").step, stop_at);
    }
    stop = false;
    torch::manual_seed(999);  // as in a new process
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream();
    Trainer trainer(checkpoint, *stream, options, weight_sum(checkpoint));
    trainer.resume();
    EXPECT_EQ(trainer.steps_done(), stop_at);
    EXPECT_TRUE(trainer.run());
    EXPECT_EQ(differing_files(straight, broken), std::vector<std::string>{}) << "at " << stop_at;
  }
}

TEST_F(TrainerTest, WritesHowRoutesChange) {
  for (const bool second : {false, true}) {  // a run into the same folder begins anew
    Checkpoint checkpoint = named_checkpoint();
    auto stream = toy_stream();
    Trainer trainer(checkpoint, *stream, toy_options(output_), nullptr);
    ASSERT_TRUE(trainer.run());
    const std::vector<RouteMoment> moments = read_route_file(output_ / "routes.jsonl", 100);
    ASSERT_EQ(moments.size(), 4u) << second;
    for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(moments[static_cast<size_t>(i)].step, 4 * i);
    EXPECT_NE(moments[0].routes.tasks, moments[3].routes.tasks);
    checkpoint.model->eval();
    EXPECT_EQ(to_json(moments[3].routes),
              to_json(dump_routes(model_routes(checkpoint.model), checkpoint.config(),
                                  {"sst2", "sst5"}, {"sentiment", "sentiment"})));
  }
}

// A kill between two snapshots leaves curves and best/ of steps that are done again.
TEST_F(TrainerTest, KilledAndResumedGivesTheBytesOfAnUnbrokenRun) {
  const fs::path straight = temporary_.path() / "straight", broken = temporary_.path() / "broken";
  TrainerOptions options = toy_options(straight);
  options.run.save_every = 3;
  options.run.eval_every = 4;
  train(options);
  options.run.output = broken.string();
  {
    Checkpoint checkpoint = toy_checkpoint();
    struct Killed {};
    WatchedStream stream(toy_stream(), [](int64_t batch) {
      if (batch == 8) throw Killed();  // after the curves and best/ of step 8, last/ of step 6
    });
    Trainer trainer(checkpoint, stream, options, weight_sum(checkpoint));
    EXPECT_THROW(trainer.run(), Killed);
  }
  Checkpoint checkpoint = toy_checkpoint();
  auto stream = toy_stream();
  Trainer trainer(checkpoint, *stream, options, weight_sum(checkpoint));
  trainer.resume();
  EXPECT_EQ(trainer.steps_done(), 6);
  EXPECT_TRUE(trainer.run());
  EXPECT_EQ(differing_files(straight, broken), std::vector<std::string>{});
  // A run that begins anew in the same folder keeps no curves of the old one.
  train(options);
  EXPECT_EQ(differing_files(straight, broken), std::vector<std::string>{});
}

TEST_F(TrainerTest, ResumeNamesWhatIsMissing) {
  Checkpoint checkpoint = toy_checkpoint();
  auto stream = toy_stream();
  const TrainerOptions options = toy_options(output_);
  {
    Trainer trainer(checkpoint, *stream, options, nullptr);
    EXPECT_EQ(error_of([&] { trainer.resume(); }).substr(0, 3), "66:");  // kMissingInput
    trainer.run();
  }
  ModelConfig wider = toy_config();
  wider.encoder_ffn_dim = 32;
  Checkpoint other = toy_checkpoint(wider);
  Trainer trainer(other, *stream, options, nullptr);
  EXPECT_EQ(error_of([&] { trainer.resume(); }).substr(0, 3), "64:");  // kConfig
  MultiTaskStream less(toy_examples(60), {.batch_tokens = 96}, 5);
  Trainer on_less(checkpoint, less, options, nullptr);
  EXPECT_EQ(error_of([&] { on_less.resume(); }).substr(0, 3), "76:");  // kBadModel
}

TEST_F(TrainerTest, DivergenceLeavesTheLastSnapshot) {
  Checkpoint checkpoint = toy_checkpoint();
  std::map<std::string, std::string> before;
  WatchedStream stream(toy_stream(), [&](int64_t batch) {
    if (batch != 7) return;
    before = files_of(output_ / "last");
    torch::NoGradGuard no_grad;
    checkpoint.model->shared_weight().fill_(std::numeric_limits<float>::quiet_NaN());
  });
  TrainerOptions options = toy_options(output_);
  options.run.save_every = 3;
  options.optimiser.max_skipped = 0;
  Trainer trainer(checkpoint, stream, options, nullptr);
  const std::string error = error_of([&] { trainer.run(); });
  EXPECT_EQ(error.substr(0, 3), "70:") << error;  // kDiverged
  EXPECT_NE(error.find("step 8"), std::string::npos) << error;
  EXPECT_EQ(trainer.steps_done(), 7);
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(files_of(output_ / "last"), before);
  EXPECT_EQ(load_training_snapshot(output_ / "last").step, 6);
}

TEST_F(TrainerTest, ReferenceDefectA17_BestIsTheFirstOfStrictlyGreaterScores) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> scores = {nan, 0.5, 0.5, 0.4, nan, 0.7, 0.6};
  const std::vector<bool> is_best = {false, true, false, false, false, true, false};
  Checkpoint checkpoint = toy_checkpoint();
  auto stream = toy_stream();
  TrainerOptions options = toy_options(output_);
  options.optimiser.steps = 7;
  options.optimiser.warmup = 0;
  options.run.eval_every = 1;
  options.run.save_every = 1;
  size_t evaluations = 0;
  torch::Tensor expected;  // the shared weight in best/
  const auto check_best = [&] {
    ASSERT_EQ(fs::exists(output_ / "best"), expected.defined());
    if (!expected.defined()) return;
    EXPECT_TRUE(torch::equal(load_checkpoint(output_ / "best").model->shared_weight(), expected))
        << "after evaluation " << evaluations;
  };
  Trainer trainer(checkpoint, *stream, options, [&](double) {
    check_best();
    EXPECT_FALSE(checkpoint.model->is_training());
    if (is_best[evaluations]) expected = checkpoint.model->shared_weight().detach().clone();
    return Validation{scores[evaluations++], ""};
  });
  EXPECT_TRUE(trainer.run());
  check_best();
  EXPECT_EQ(evaluations, scores.size());
  EXPECT_EQ(load_training_snapshot(output_ / "last").best_score, 0.7);
}

TEST_F(TrainerTest, FrozenRoutesDoNotChange) {
  ModelConfig config = toy_config();
  config.routing.selection = SelectionKind::kSoftmax;  // every expert has a share
  Checkpoint checkpoint = toy_checkpoint(config);
  std::map<std::string, torch::Tensor> before;
  for (const auto& item : checkpoint.model->named_parameters()) {
    before[item.key()] = item.value().detach().clone();
  }
  TrainerOptions options = toy_options(output_);
  options.optimiser.warmup = 0;
  options.routes.frozen = true;
  auto stream = toy_stream();
  Trainer trainer(checkpoint, *stream, options, nullptr);
  for (int step = 0; step < 3; ++step) trainer.step();
  for (const auto& item : checkpoint.model->named_parameters()) {
    const bool route = item.key().starts_with("router.") || item.key().starts_with("task_vectors.");
    EXPECT_EQ(torch::equal(item.value(), before[item.key()]), route) << item.key();
  }
}

TEST_F(TrainerTest, HomogeneousBatchesHaveOneTask) {
  auto stream = toy_stream(Batching::kHomogeneous);
  std::map<int64_t, int> batches;
  for (int i = 0; i < 20; ++i) {
    const std::vector<EncodedExample> batch = stream->next_batch();
    for (const EncodedExample& example : batch) EXPECT_EQ(example.task, batch[0].task);
    ++batches[batch[0].task];
  }
  EXPECT_EQ(batches, (std::map<int64_t, int>{{0, 10}, {1, 10}}));
}

TEST_F(TrainerTest, ReferenceDefectA13_LossesAreReducedAsTheSettingsSay) {
  // Homogeneous batches are not sorted by length: the first one's targets differ.
  const auto first_step = [&](LossReduction loss, int64_t accumulation) {
    Checkpoint checkpoint = toy_checkpoint(toy_config(1));
    auto stream = toy_stream(Batching::kHomogeneous);
    TrainerOptions options = toy_options(output_);
    options.optimiser.loss = loss;
    options.optimiser.accumulation = accumulation;
    Trainer trainer(checkpoint, *stream, options, nullptr);
    return trainer.step();
  };
  // The same batch row by row.
  Checkpoint checkpoint = toy_checkpoint(toy_config(1));
  const Batch batch = collate(toy_stream(Batching::kHomogeneous)->next_batch(), 0, 3);
  const torch::Tensor logits = forward_logits(checkpoint.model, batch.source, batch.decoder_input);
  torch::Tensor sum = torch::zeros({}), mean_of_means = torch::zeros({});
  int64_t tokens = 0;
  for (int64_t b = 0; b < batch.size(); ++b) {
    const int64_t length = batch.label_mask[b].sum().item<int64_t>();
    const torch::Tensor row = label_smoothed_loss(logits[b].narrow(0, 0, length),
                                                  batch.labels[b].narrow(0, 0, length), 0.1)
                                  .sum();
    sum = sum + row;
    mean_of_means = mean_of_means + row / static_cast<double>(length * batch.size());
    tokens += length;
  }
  const auto gradient_norm = [&](const torch::Tensor& loss) {
    double square = 0;
    for (const torch::Tensor& gradient :
         torch::autograd::grad({loss}, checkpoint.model->parameters(), {}, true)) {
      square += gradient.pow(2).sum().item<double>();
    }
    return std::sqrt(square);
  };
  const std::map<LossReduction, double> expected = {
      {LossReduction::kTokenSum, gradient_norm(sum)},
      {LossReduction::kTokenMean, gradient_norm(sum / static_cast<double>(tokens))},
      {LossReduction::kExampleMean, gradient_norm(mean_of_means)}};
  EXPECT_GT(
      std::abs(expected.at(LossReduction::kExampleMean) / expected.at(LossReduction::kTokenMean) -
               1),
      1e-3);
  for (const auto& [loss, norm] : expected) {
    const Trainer::StepResult result = first_step(loss, 1);
    EXPECT_NEAR(result.gradient_norm, norm, 1e-4 * norm);
    EXPECT_NEAR(result.loss, sum.item<double>() / static_cast<double>(tokens), 1e-5);
    EXPECT_EQ(result.tokens, tokens);
    EXPECT_EQ(result.examples, batch.size());
    // Two batches: means are averaged, sums are added.
    const double two = first_step(loss, 2).gradient_norm / norm;
    EXPECT_EQ(two > 1.5, loss == LossReduction::kTokenSum) << two;
  }
}

// A stream of batches of one example and of three.
class UnevenStream : public ExampleStream {
 public:
  std::vector<EncodedExample> next_batch() override {
    return ++batches_ % 2 == 1 ? std::vector<EncodedExample>{examples_[0]}
                               : std::vector<EncodedExample>(3, examples_[0]);
  }
  double mean_batch_size() const override { return 2; }
  Json state() const override { return Json::object(); }
  void set_state(const Json&) override {}

 private:
  std::vector<EncodedExample> examples_ = toy_stream()->next_batch();
  int batches_ = 0;
};

TEST_F(TrainerTest, AnExampleCountsAlikeHoweverManyShareItsBatch) {
  Checkpoint checkpoint = toy_checkpoint(toy_config(1));
  UnevenStream stream;
  TrainerOptions options = toy_options(output_);
  options.optimiser.loss = LossReduction::kExampleMean;
  options.optimiser.learning_rate = 0;
  Trainer trainer(checkpoint, stream, options, nullptr);
  const double one = trainer.step().gradient_norm, three = trainer.step().gradient_norm;
  EXPECT_GT(one, 0);
  EXPECT_NEAR(three, 3 * one, 1e-4 * three);
}

// bfloat16 has 8 significant bits, so every product is off by up to 2^-9; after four layers of
// width 16 the loss is within 2 % and the gradient's norm within 10 %.
TEST_F(TrainerTest, Bfloat16StaysNearFloat32) {
  std::map<Precision, Trainer::StepResult> results;
  std::map<Precision, std::vector<bool>> moved;
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    Checkpoint checkpoint = toy_checkpoint();
    std::vector<torch::Tensor> before;
    for (const torch::Tensor& parameter : checkpoint.model->parameters()) {
      before.push_back(parameter.detach().clone());
    }
    auto stream = toy_stream();
    TrainerOptions options = toy_options(output_);
    options.optimiser.precision = precision;
    options.optimiser.warmup = 0;
    options.optimiser.weight_decay = 0;
    Trainer trainer(checkpoint, *stream, options, nullptr);
    results[precision] = trainer.step();
    const auto parameters = checkpoint.model->parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_EQ(parameters[i].scalar_type(), torch::kFloat32);
      moved[precision].push_back(!torch::equal(parameters[i], before[i]));
    }
  }
  const auto& [fp32, bf16] = std::pair(results[Precision::kFloat32], results[Precision::kBfloat16]);
  EXPECT_NE(fp32.loss, bf16.loss);
  EXPECT_NEAR(bf16.loss, fp32.loss, 0.02 * fp32.loss);
  EXPECT_NEAR(bf16.gradient_norm, fp32.gradient_norm, 0.1 * fp32.gradient_norm);
  EXPECT_EQ(moved[Precision::kBfloat16],
            moved[Precision::kFloat32]);  // no weight lost its gradient in autocast's cache
}

// docs/spec/parity.md, A4: the reference's random routes drift, since they are parameters.
TEST_F(TrainerTest, ReferenceDefectA4_ConstantRoutesDoNotMove) {
  ModelConfig config = toy_config();
  config.routing.route_source = RouteSource::kTable;
  Checkpoint checkpoint = toy_checkpoint(config);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const torch::Tensor routes =
      draw_random_routes({checkpoint.model->num_layers(), 2, 3}, 2, generator);
  checkpoint.model->route_table().copy_(route_table(routes));
  const torch::Tensor before =
      model_tensors(checkpoint.model).at("encoder.layers.0.experts.0.fc1.weight").clone();
  auto stream = toy_stream();
  Trainer trainer(checkpoint, *stream, toy_options(output_), nullptr);
  EXPECT_TRUE(trainer.run());
  EXPECT_TRUE(torch::equal(checkpoint.model->route_table(), route_table(routes)));
  EXPECT_FALSE(torch::equal(
      model_tensors(checkpoint.model).at("encoder.layers.0.experts.0.fc1.weight"), before));
  // Saved and read with the rest.
  Checkpoint loaded = load_checkpoint(output_ / "last");
  EXPECT_TRUE(torch::equal(loaded.model->route_table(), route_table(routes)));
}

// docs/spec/parity.md, A5: training draws anew at each step, evaluation has one fixed route for all
// tasks.
TEST_F(TrainerTest, ReferenceDefectA5_InstanceRandomRoutesAreFixedAtEvaluation) {
  ModelConfig config = toy_config();
  config.routing.route_source = RouteSource::kTable;
  Checkpoint checkpoint = toy_checkpoint(config);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const torch::Tensor route =
      draw_random_routes({checkpoint.model->num_layers(), 1, 3}, 1, generator);
  checkpoint.model->route_table().copy_(
      route_table(route.expand({checkpoint.model->num_layers(), 2, 3})));
  auto stream = toy_stream();
  TrainerOptions options = toy_options(output_);
  options.routes.instance_random = true;
  Trainer trainer(checkpoint, *stream, options, nullptr);
  // All experts of a pool are trained within few steps, though the table names one of them.
  std::vector<torch::Tensor> before;
  const auto bias = [&](int e) {
    return model_tensors(checkpoint.model)
        .at("decoder.layers.1.experts." + std::to_string(e) + ".fc1.bias");
  };
  for (int e = 0; e < 3; ++e) before.push_back(bias(e).clone());
  for (int step = 0; step < 5; ++step) trainer.step();
  for (int e = 0; e < 3; ++e) EXPECT_FALSE(torch::equal(bias(e), before[e])) << e;
  const torch::Tensor tasks = torch::tensor({0, 1}, torch::kInt64);
  EXPECT_TRUE(torch::equal(checkpoint.model->inference_routes(tasks, 1.0).narrow(1, 0, 1), route));
  EXPECT_TRUE(torch::equal(checkpoint.model->inference_routes(tasks, 1.0).narrow(1, 1, 1), route));
}

}  // namespace
}  // namespace trivium::learning
