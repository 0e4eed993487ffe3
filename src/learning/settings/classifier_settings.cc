#include "learning/settings/classifier_settings.h"

namespace trivium::learning {
namespace {

const EnumNames<TaskShares> kShareNames = {
    {"natural", TaskShares::kNatural},
    {"uniform", TaskShares::kUniform},
    {"uniform_then_natural", TaskShares::kUniformThenNatural}};

}  // namespace

void ClassifierStepSettings::visit(SettingsVisitor& v, const std::string& prefix) {
  const auto key = [&](const char* name) { return prefix + "." + name; };
  v.integer(key("batch_tokens").c_str(), batch_tokens, 16, 10'000'000, "padded ids in a batch");
  v.integer(key("batch_examples").c_str(), batch_examples, 1, 100'000,
            "examples in a batch at most");
  v.number(key("learning_rate").c_str(), learning_rate, 0, 1, "peak learning rate");
  v.number(key("warmup").c_str(), warmup, 0, 1,
           "share of the steps with rising learning rate; then linear to 0");
  v.number(key("weight_decay").c_str(), weight_decay, 0, 1, "decoupled weight decay");
  v.number(key("clip").c_str(), clip, 0, 1e6, "largest gradient norm; 0: no clipping");
  v.number(key("dropout").c_str(), dropout, 0, 0.9,
           "dropout of the residual branches and embeddings");
  v.number(key("attention_dropout").c_str(), attention_dropout, 0, 0.9,
           "dropout of attention weights");
  v.choice(key("precision").c_str(), precision, precision_names(),
           "bf16: matrix products in bfloat16, weights and optimiser in float32");
}

OptimiserSettings ClassifierStepSettings::optimiser(int64_t steps, uint64_t seed) const {
  OptimiserSettings settings;
  settings.steps = steps;
  settings.learning_rate = learning_rate;
  settings.warmup = warmup;
  settings.weight_decay = weight_decay;
  settings.clip = clip;
  settings.dropout = dropout;
  settings.attention_dropout = attention_dropout;
  settings.precision = precision;
  settings.seed = static_cast<int64_t>(seed);
  return settings;
}

void ClassifierSettings::visit(SettingsVisitor& v) {
  v.text("model.init", init, {}, "folder of a BERT or MiniLM encoder (Hugging Face's files)");
  v.integer("model.encoder_layers", encoder_layers, 0, 256, "its first so many layers; 0: all");
  v.integer("model.num_experts", num_experts, 1, 64,
            "feed-forward experts in every layer; 1: a dense model");
  v.choice("model.token_gates", token_gates, token_gate_names(),
           "a gate for every task (MT-TaG), or one for all (MT-Switch)");
  v.choice("model.gate_scale", gate_scale, gate_scale_names(),
           "what the chosen expert's output is multiplied by");
  v.integer("model.gate_embedding_dim", gate_embedding_dim, 0, 65536,
            "gates made from task embeddings of this length; 0: each has weights of its own");
  v.text("data.gym", gym, {}, "folder of the collection of tasks");
  v.texts("data.tasks", tasks, "the tasks to learn; each has a head, and gates");
  v.integer("data.max_length", max_length, 8, 1 << 20,
            "ids of a text or pair; the longer text of a pair is cut on the right first");
  v.integer("data.examples_per_task", examples_per_task, 0, INT64_MAX,
            "train lines read a task; 0: all");
  v.choice("data.sampling", sampling, kShareNames,
           "a task's share of the examples: as its size; the same for all; first the one, then the "
           "other");
  v.number("data.uniform_share", uniform_share, 0, 1,
           "of uniform_then_natural: share of the steps that are uniform");
  v.integer("train.steps", steps, 1, 100'000'000, "optimiser steps");
  step.visit(v, "train");
  v.integer("train.max_skipped", max_skipped, 0, 1'000'000, kMaxSkippedHelp);
  v.integer("train.seed", seed, 0, INT64_MAX, "seed of heads, gates, order of data and dropout");
  v.integer("train.threads", threads, 0, 4096, "CPU threads; 0: all");
  v.text("run.output", output, {}, "folder of the trained classifier");
  v.integer("run.log_every", log_every, 1, 1'000'000, "steps between lines of progress");
  v.integer("run.save_every", save_every, 1, 100'000'000,
            "steps between snapshots, from which --resume goes on");
}

}  // namespace trivium::learning
