// The settings of `trivium train` and `trivium pretrain`.
#pragma once

#include <string>
#include <vector>

#include "core/config/model_config.h"
#include "core/config/settings.h"
#include "learning/examples/batch_sampler.h"

namespace trivium::learning {

// What one gradient norm is taken over when it is clipped.
enum class ClipBy {
  kGlobal,  // "global": all parameters
  kGroup,   // "group": a parameter group
};

// How the losses of target tokens become one number.
enum class LossReduction {
  kTokenMean,    // "token_mean": the mean over the tokens
  kExampleMean,  // "example_mean": the mean over examples of the mean over their tokens
  kTokenSum,     // "token_sum": the sum over the tokens
};

// The numbers of matrix products; weights and optimiser are float32 always.
enum class Precision {
  kFloat32,   // "fp32"
  kBfloat16,  // "bf16"
};
const EnumNames<Precision>& precision_names();

// The help of train.max_skipped.
inline constexpr const char* kMaxSkippedHelp =
    "steps in a row that are skipped where the loss or a gradient is not finite; one more ends the "
    "training";

// What an expert is, and so who chooses it.
enum class PoolKind {
  kLayer,        // "layer": a whole layer, chosen by task
  kFeedForward,  // "feed_forward": a feed-forward part, chosen token by token by gates
};

// Where the routes of training come from.
enum class RoutePlan {
  kLearned,         // "learned": from a router that is trained
  kAverage,         // "average": all experts alike
  kTaskRandom,      // "task_random": experts drawn once for each task and layer
  kInstanceRandom,  // "instance_random": an expert drawn anew for every example, step and layer
};
const EnumNames<RoutePlan>& route_plan_names();

// Where a training's task vectors come from.
enum class TaskVectorSource {
  kLearned,  // "learned": random at first
  kText,     // "text": mean encoder states of the task's train inputs
  kFile,     // the name of a file that `trivium task vector` wrote
};

// What the model's final_logits_bias, which every token's logit gets, begins a training as.
enum class OutputBias {
  kKeep,       // "keep": as it is
  kFrequency,  // "frequency": the logarithm of each token's share of the training's targets
};

// Which of a task's templates its training examples are put into.
enum class TemplateUse {
  kFirst,  // "default": its first one
  kAll,    // "all": each of them in turn
};

// What both kinds of training share: the optimiser, the schedule, the run.
struct OptimiserSettings {
  int64_t steps = 1000;
  int64_t batch_tokens = 4096;       // padded source and target tokens in a batch
  int64_t accumulation = 1;          // batches an optimiser step
  double learning_rate = 1e-4;       // Transformer
  double decoder_learning_rate = 0;  // 0: learning_rate
  double router_learning_rate = 1e-3;
  double task_vector_learning_rate = 1e-2;
  double weight_decay = 0.01;
  double warmup = 0.06;   // share of the steps
  double cooldown = 1.0;  // the same, at their end
  double clip = 1.0;      // gradient norm; 0: off
  ClipBy clip_by = ClipBy::kGlobal;
  int64_t max_skipped = 10;          // steps in a row
  int64_t alternate_every = 0;       // steps a turn; 0: everything moves in every step
  double expert_regularisation = 0;  // coefficient
  double label_smoothing = 0.1;
  LossReduction loss = LossReduction::kTokenMean;
  double dropout = 0.1;
  double attention_dropout = 0;
  Precision precision = Precision::kFloat32;
  int64_t seed = 42;
  int64_t threads = 0;
  void visit(SettingsVisitor& visitor);
};

struct RunSettings {
  std::string output = "runs/train";
  int64_t log_every = 20;
  int64_t eval_every = 1000;
  int64_t save_every = 500;
  int64_t keep = 0;  // snapshots beside last/
  bool shard_experts = false;
  void visit(SettingsVisitor& visitor);
};

// After the first stage, which learns routes: the experts begin anew and train along the learned
// routes, which are frozen (docs/spec/task_level.md, section 8).
struct SecondStageSettings {
  int64_t steps = 0;  // 0: no second stage
  SelectionKind selection = SelectionKind::kSoftmax;
  double temperature = 300, temperature_min = 1, temperature_rate = 1e-4;
  void visit(SettingsVisitor& visitor);
};

// Multi-task training of experts and routes.
struct TrainSettings : Settings {
  // [model]
  std::string init;  // a trivium checkpoint
  int64_t num_experts = 3;
  PoolKind pool = PoolKind::kLayer;
  TokenGates token_gates = TokenGates::kPerTask;
  GateScale gate_scale = GateScale::kProbability;
  int64_t gate_embedding_dim = 0;
  std::vector<int64_t> encoder_vanilla_layers, decoder_vanilla_layers;
  double expert_noise = 1e-8;
  RoutePlan routes = RoutePlan::kLearned;
  int64_t random_experts = 1;
  SelectionKind selection = SelectionKind::kGumbelStraightThrough;
  int64_t task_vector_dim = 128;
  std::string task_vectors = "learned";  // as task_vector_source reads it
  RouterKind router = RouterKind::kLinearLayerSpecific;
  double router_init_std = 0.02;
  double exploration = 0;
  double temperature = 2.0, temperature_min = 0.1, temperature_rate = 3e-4;
  bool freeze_routes = false;
  OutputBias output_bias = OutputBias::kKeep;
  // [data]
  std::string gym = "../shared/gym";
  std::string part = "seen";
  std::vector<std::string> tasks;
  std::string prompts;  // "": the shipped ones
  TemplateUse templates = TemplateUse::kFirst;
  int64_t max_source_length = 128;
  int64_t max_target_length = 64;
  int64_t examples_per_task = 0;
  Batching batching = Batching::kHeterogeneous;
  double share_alpha = 1.0;
  int64_t length_window = 64;  // batches; 0: train.accumulation
  int64_t eval_examples = 50;
  OptimiserSettings optimiser;
  SecondStageSettings second_stage;
  RunSettings run;
  TaskVectorSource task_vector_source() const;
  void visit(SettingsVisitor& visitor) override;
};

// BART's denoising on plain text.
struct PretrainSettings : Settings {
  std::string init;
  std::vector<std::string> text_files;  // one paragraph a line
  std::string gym;
  std::string part = "seen";
  double mask_ratio = 0.3;
  double span_mean = 3.0;
  bool permute_sentences = true;
  int64_t max_length = 64;
  int64_t eval_paragraphs = 200;
  OptimiserSettings optimiser;
  RunSettings run;
  void visit(SettingsVisitor& visitor) override;
};

}  // namespace trivium::learning
