// What the reference code gets wrong (docs/reference_defects.md) and training does right.
#include <gtest/gtest.h>

#include <cmath>

#include "learning/training/routed_start.h"
#include "learning/training/task_vectors.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

bool is_of_routes(const std::string& name) {
  return name.starts_with("router.") || name.starts_with("task_vectors.");
}

NamedTensors copies(const Checkpoint& checkpoint) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : model_tensors(checkpoint.model)) tensors[name] = tensor.clone();
  return tensors;
}

// The same batch again and again.
class ConstantStream : public ExampleStream {
 public:
  std::vector<EncodedExample> next_batch() override { return batch_; }
  double mean_batch_size() const override { return static_cast<double>(batch_.size()); }
  Json state() const override { return Json::object(); }
  void set_state(const Json&) override {}

 private:
  std::vector<EncodedExample> batch_ = toy_stream()->next_batch();
};

class ReferenceDefects : public ::testing::Test {
 protected:
  // Without noise and dropout, so that a step's gradient follows from the weights and the batch.
  TrainerOptions options() const {
    TrainerOptions options = toy_options(folder_.path() / "run");
    options.routes.selection = SelectionKind::kSoftmax;
    options.routes.temperature = {1, 1, 0};
    options.optimiser.warmup = 0;
    options.optimiser.clip = 0;
    return options;
  }

  TemporaryFolder folder_;
  ConstantStream stream_;
};

// The reference freezes by a learning rate of 0, and the gradients still count in the norm.
TEST_F(ReferenceDefects, A6_FrozenRoutesAreInNoNorm) {
  const auto norm = [&](bool frozen) {
    TrainSettings settings;
    settings.freeze_routes = frozen;
    settings.selection = SelectionKind::kSoftmax;
    Checkpoint checkpoint =
        routed_start(toy_checkpoint(), settings, toy_examples(), {"copy", "reverse"});
    const double full = Trainer(checkpoint, stream_, options(), nullptr).step().gradient_norm;
    for (const auto& item : checkpoint.model->named_parameters()) {
      EXPECT_EQ(item.value().requires_grad(), !(frozen && is_of_routes(item.key()))) << item.key();
    }
    return full;
  };
  EXPECT_LT(norm(true), norm(false));
}

// In the reference momentum and decay move the groups whose gradients are zeroed, and frozen task
// vectors crash.
TEST_F(ReferenceDefects, A7_GroupsMoveInTheirTurnsOnly) {
  for (const bool frozen_vectors : {false, true}) {
    Checkpoint checkpoint = toy_checkpoint();
    checkpoint.model->task_vectors().requires_grad_(!frozen_vectors);
    TrainerOptions turns = options();
    turns.optimiser.alternate_every = 2;
    turns.optimiser.expert_regularisation = 0.1;
    Trainer trainer(checkpoint, stream_, turns, nullptr);
    for (int64_t step = 0; step < 8; ++step) {
      const NamedTensors before = copies(checkpoint);
      trainer.step();
      const bool routes_turn = step / 2 % 2 == 0;
      for (const auto& item : checkpoint.model->named_parameters()) {
        const bool frozen = frozen_vectors && item.key() == "task_vectors.weight";
        const bool moves = !frozen && is_of_routes(item.key()) == routes_turn;
        EXPECT_EQ(!torch::equal(item.value(), before.at(item.key())), moves)
            << item.key() << " in step " << step;
        EXPECT_EQ(item.value().requires_grad(), !frozen) << item.key();
      }
    }
  }
}

// The norm that is clipped is of the groups that move.
TEST_F(ReferenceDefects, A7_TheOthersCountInNoNorm) {
  const auto norms = [&](int64_t alternate_every) {
    Checkpoint checkpoint = toy_checkpoint();
    TrainerOptions still = options();
    still.optimiser.alternate_every = alternate_every;
    still.optimiser.learning_rate = still.optimiser.router_learning_rate =
        still.optimiser.task_vector_learning_rate = 0;
    Trainer trainer(checkpoint, stream_, still, nullptr);
    const double first = trainer.step().gradient_norm;
    return std::pair(first, trainer.step().gradient_norm);
  };
  const auto [routes, transformer] = norms(1);
  const auto [all, again] = norms(0);
  EXPECT_NEAR(all, again, 1e-6 * all);
  EXPECT_GT(routes, 0);
  EXPECT_NEAR(std::hypot(routes, transformer), all, 1e-5 * all);
}

TEST_F(ReferenceDefects, A7_TurnsNeedTwoSides) {
  TrainerOptions turns = options();
  turns.optimiser.alternate_every = 1;
  Checkpoint dense = toy_checkpoint(toy_config(1));
  EXPECT_EQ(error_of([&] { Trainer(dense, stream_, turns, nullptr); }).substr(0, 3), "64:");
  Checkpoint frozen = toy_checkpoint();
  for (torch::Tensor& parameter : frozen.model->router()->parameters()) {
    parameter.requires_grad_(false);
  }
  frozen.model->task_vectors().requires_grad_(false);
  EXPECT_EQ(error_of([&] { Trainer(frozen, stream_, turns, nullptr); }).substr(0, 3), "64:");
}

// The reference's filter never matches BART's names, so that gains decay; its own filter would also
// miss the biases of recurrent routers.
TEST_F(ReferenceDefects, A8_LayerNormGainsAndBiasesDoNotDecay) {
  for (const RouterKind kind : {RouterKind::kLinear, RouterKind::kGru, RouterKind::kTransformer}) {
    ModelConfig config = toy_config();
    config.routing.router = kind;
    Checkpoint checkpoint = toy_checkpoint(config);
    const AdamW optimiser(*checkpoint.model, OptimiserSettings{});
    size_t decaying = 0, spared = 0;
    for (const AdamW::Group& group : optimiser.groups()) {
      for (size_t i = 0; i < group.names.size(); ++i) {
        const std::string& name = group.names[i];
        // Matrices and tables decay, vectors (gains and biases of every kind) do not.
        EXPECT_EQ(group.weight_decay > 0, group.parameters[i].dim() == 2) << name;
        ++(group.weight_decay > 0 ? decaying : spared);
      }
    }
    EXPECT_GT(decaying, 0u);
    EXPECT_GT(spared, 0u);
  }
}

// The reference goes on with the shape that it finds, whatever the settings say.
TEST_F(ReferenceDefects, A11_SettingsThatDoNotFitTheCheckpointAreAnError) {
  TrainSettings settings;
  settings.selection = SelectionKind::kSoftmax;
  const auto start = [&] {
    routed_start(toy_checkpoint(), settings, toy_examples(), {"copy", "reverse"});
  };
  EXPECT_EQ(error_of(start), "");
  settings.router = RouterKind::kGru;
  EXPECT_EQ(error_of(start).substr(0, 3), "64:");
  settings.router = RouterKind::kLinearLayerSpecific;
  settings.decoder_vanilla_layers = {1};
  EXPECT_EQ(error_of(start).substr(0, 3), "64:");
  settings.decoder_vanilla_layers = {};
  settings.num_experts = 2;
  EXPECT_EQ(error_of(start).substr(0, 3), "64:");
}

// The reference explores in the dev loss too; with softmax its training stops in the backward pass.
TEST_F(ReferenceDefects, A12_ExplorationIsInTrainingOnly) {
  Checkpoint checkpoint = toy_checkpoint();
  TrainerOptions exploring = options();
  exploring.routes.exploration = 1;
  const torch::Tensor tasks = torch::tensor({0, 1}, torch::kInt64);
  const torch::Tensor routes = checkpoint.model->inference_routes(tasks, 1.0);
  exploring.optimiser.weight_decay = 0;
  const NamedTensors before = copies(checkpoint);
  Trainer trainer(checkpoint, stream_, exploring, nullptr);
  for (int step = 0; step < 4; ++step) trainer.step();
  // Random routes alone teach the experts and not the router.
  for (const auto& item : checkpoint.model->named_parameters()) {
    EXPECT_EQ(torch::equal(item.value(), before.at(item.key())), is_of_routes(item.key()))
        << item.key();
  }
  EXPECT_TRUE(torch::equal(checkpoint.model->inference_routes(tasks, 1.0), routes));
}

// Noise, dropout and exploration all follow from the seed and go on from a snapshot.
TEST_F(ReferenceDefects, A12_ExplorationGoesOnFromASnapshot) {
  const auto options_for = [&](const char* name) {
    TrainerOptions exploring = toy_options(folder_.path() / name);
    exploring.routes.exploration = 0.3;
    exploring.optimiser.alternate_every = 2;
    exploring.optimiser.expert_regularisation = 0.01;
    exploring.run.save_every = 5;
    return exploring;
  };
  {
    Checkpoint checkpoint = toy_checkpoint();
    auto stream = toy_stream();
    EXPECT_TRUE(Trainer(checkpoint, *stream, options_for("straight"), nullptr).run());
  }
  struct Killed {};
  {
    Checkpoint checkpoint = toy_checkpoint();
    WatchedStream stream(toy_stream(), [](int64_t batch) {
      if (batch == 7) throw Killed();
    });
    EXPECT_THROW(Trainer(checkpoint, stream, options_for("broken"), nullptr).run(), Killed);
  }
  Checkpoint checkpoint = toy_checkpoint();
  auto stream = toy_stream();
  Trainer trainer(checkpoint, *stream, options_for("broken"), nullptr);
  trainer.resume();
  EXPECT_EQ(trainer.steps_done(), 5);
  EXPECT_TRUE(trainer.run());
  EXPECT_EQ(differing_files(folder_.path() / "straight", folder_.path() / "broken"),
            std::vector<std::string>{});
}

// The reference means the decoder's states over pads too: a text's vector depends on its batch.
TEST_F(ReferenceDefects, A18_TextVectorsAreOfRealEncoderStates) {
  Checkpoint dense = toy_checkpoint(toy_config(1));
  std::vector<EncodedExample> examples = toy_examples(20);
  for (size_t i = 0; i < 20; ++i) examples[i].task = static_cast<int64_t>(i % 4);
  examples[0].source.insert(examples[0].source.begin() + 1, 9, 7);  // its task's others get pads
  const torch::Tensor vectors = text_task_vectors(dense.model, examples, 4, /*per_task=*/5);
  torch::NoGradGuard no_grad;
  torch::Tensor means = torch::zeros({4, 16});
  for (const EncodedExample& example : examples) {
    const SourceBatch alone = collate_sources({example.source}, dense.config().pad_token_id);
    means[example.task] += dense.model->encode(alone.ids, alone.mask, {})[0].mean(0) / 5;
  }
  const torch::Tensor expected = (means - means.mean(0)) / (means.std(0, false) + 1e-6);
  EXPECT_LT(max_difference(vectors, expected), 1e-3);
}

}  // namespace
}  // namespace trivium::learning
