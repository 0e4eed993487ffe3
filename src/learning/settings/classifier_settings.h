// The settings of `trivium classifier train`, which the experiment on token gates shares.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "learning/settings/train_settings.h"

namespace trivium::learning {

// How large a part of the examples each task has.
enum class TaskShares {
  kNatural,             // "natural": as its size
  kUniform,             // "uniform": the same for all
  kUniformThenNatural,  // "uniform_then_natural": first the one, then the other
};

// A step, and how many: what training on many tasks and fine-tuning on one have in common.
struct ClassifierStepSettings {
  int64_t batch_tokens = 8192;   // padded
  int64_t batch_examples = 128;  // at most
  double learning_rate = 5e-5;
  double warmup = 0.1;
  double weight_decay = 0;
  double clip = 1;
  double dropout = 0.1, attention_dropout = 0.1;
  Precision precision = Precision::kFloat32;

  // `prefix` begins the keys: "train".
  void visit(SettingsVisitor& visitor, const std::string& prefix);
  // For the optimiser: so many steps of these.
  OptimiserSettings optimiser(int64_t steps, uint64_t seed) const;
};

// A classifier of many tasks (docs/spec/mt_tag.md, sections 2 to 6).
struct ClassifierSettings : Settings {
  // [model]
  std::string init;
  int64_t encoder_layers = 0;
  int64_t num_experts = 4;
  TokenGates token_gates = TokenGates::kPerTask;
  GateScale gate_scale = GateScale::kProbability;
  int64_t gate_embedding_dim = 0;
  // [data]
  std::string gym = "../shared/gym";
  std::vector<std::string> tasks = {"rte", "mrpc", "stsb", "cola", "sst2", "qnli", "qqp", "mnli"};
  int64_t max_length = 128;
  int64_t examples_per_task = 0;
  TaskShares sampling = TaskShares::kNatural;
  double uniform_share = 0.5;
  // [train]
  int64_t steps = 30000;
  ClassifierStepSettings step;
  int64_t max_skipped = OptimiserSettings().max_skipped;
  int64_t seed = 42, threads = 0;
  // [run]
  std::string output = "runs/classifier";
  int64_t log_every = 50, save_every = 500;
  void visit(SettingsVisitor& visitor) override;
};

}  // namespace trivium::learning
