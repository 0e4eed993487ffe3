// The settings of `trivium train` and `trivium pretrain`.
#pragma once

#include <string>
#include <vector>

#include "core/config/settings.h"

namespace trivium::learning {

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
  double warmup = 0.06;  // share of the steps
  double clip = 1.0;     // gradient norm; 0: off
  std::string clip_by = "global";
  int64_t alternate_every = 0;       // steps a turn; 0: everything moves in every step
  double expert_regularisation = 0;  // coefficient
  double label_smoothing = 0.1;
  std::string loss = "token_mean";
  double dropout = 0.1;
  double attention_dropout = 0;
  std::string precision = "fp32";
  int64_t seed = 42;
  int64_t threads = 0;
  void visit(SettingsVisitor& visitor);
};

struct RunSettings {
  std::string output = "runs/train";
  int64_t log_every = 20;
  int64_t eval_every = 1000;
  int64_t save_every = 500;
  void visit(SettingsVisitor& visitor);
};

// After the first stage, which learns routes: the experts begin anew and train along the learned
// routes, which are frozen (task_level_moe.md, section 8).
struct SecondStageSettings {
  int64_t steps = 0;  // 0: no second stage
  std::string selection = "softmax";
  double temperature = 300, temperature_min = 1, temperature_rate = 1e-4;
  void visit(SettingsVisitor& visitor);
};

// Multi-task training of experts and routes.
struct TrainSettings : Settings {
  // [model]
  std::string init;  // a trivium checkpoint
  int64_t num_experts = 3;
  std::string pool = "layer";  // or "feed_forward": experts that gates choose token by token
  std::string token_gates = "per_task", gate_scale = "probability";
  int64_t gate_embedding_dim = 0;
  std::vector<int64_t> encoder_vanilla_layers, decoder_vanilla_layers;
  double expert_noise = 1e-8;
  std::string routes = "learned";
  int64_t random_experts = 1;
  std::string selection = "gumbel_softmax_st";
  int64_t task_vector_dim = 128;
  std::string task_vectors = "learned";
  std::string router = "linear_layer_specific";
  double router_init_std = 0.02;
  double exploration = 0;
  double temperature = 2.0, temperature_min = 0.1, temperature_rate = 3e-4;
  bool freeze_routes = false;
  // [data]
  std::string gym = "../shared/gym";
  std::string part = "seen";
  std::vector<std::string> tasks;
  std::string prompts = "prompts";
  std::string templates = "default";
  int64_t max_source_length = 128;
  int64_t max_target_length = 64;
  int64_t examples_per_task = 0;
  std::string batching = "heterogeneous";
  double share_alpha = 1.0;
  int64_t eval_examples = 50;
  OptimiserSettings optimiser;
  SecondStageSettings second_stage;
  RunSettings run;
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
