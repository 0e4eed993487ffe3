// A small random checkpoint that knows three tasks.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random_tensor.h"
#include "core/checkpoint/added_task.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_shapes.h"
#include "core/data/prompt_template.h"

namespace trivium {

// What a tiny checkpoint's tasks choose, and how.
enum class TinyModel {
  kDense,       // nothing
  kOneHot,      // one expert of three in every layer but the encoder's first
  kSoft,        // a mixture of the three
  kTokenGates,  // one feed-forward expert of three for every token, by gates of the task's own
};

struct TinyCheckpoint {
  CheckpointInfo info;
  std::map<std::string, HostTensor> tensors;

  // Of the weights in memory.
  TensorReader reader() const {
    return [tensors = tensors](const std::string& name) { return tensors.at(name); };
  }
};

inline Task tiny_task(const std::string& name, std::vector<std::string> inputs,
                      std::vector<std::string> labels) {
  Task task;
  task.name = name;
  task.family = "made up";
  task.inputs = std::move(inputs);
  task.target = "label";
  task.labels = std::move(labels);
  return task;
}

// Two layers a stack of width 32, over the 100 word pieces of tests/golden/tiny_bert.
inline ModelConfig tiny_config(TinyModel kind) {
  ModelConfig config;
  config.vocab_size = 100;
  config.max_position_embeddings = 200;
  config.d_model = 32;
  config.encoder_layers = config.decoder_layers = 2;
  config.encoder_attention_heads = config.decoder_attention_heads = 4;
  config.encoder_ffn_dim = config.decoder_ffn_dim = 48;
  config.init_std = 0.3;
  config.pad_token_id = 0;
  config.bos_token_id = 2;
  config.eos_token_id = config.decoder_start_token_id = config.forced_eos_token_id = 3;
  config.num_beams = 2;
  config.max_length = 10;
  if (kind == TinyModel::kTokenGates) config.token_experts.num_experts = 3;
  if (kind == TinyModel::kOneHot || kind == TinyModel::kSoft) {
    config.routing.num_experts = 3;
    config.routing.encoder_vanilla_layers = {0};
    config.routing.task_vector_dim = 8;
    config.routing.router_hidden_dim = 6;
    config.routing.selection =
        kind == TinyModel::kSoft ? SelectionKind::kSoftmax : SelectionKind::kGumbelStraightThrough;
  }
  return config;
}

// N(0, init_std) weights, zero biases, unit LayerNorms; task vectors and token gates N(0, 1).
inline std::map<std::string, HostTensor> tiny_weights(const ModelConfig& config, int64_t num_tasks,
                                                      uint64_t seed) {
  Rng rng(seed);
  std::map<std::string, HostTensor> tensors;
  for (const auto& [name, shape] : model_shapes(config, num_tasks)) {
    const bool is_norm = name.find("norm") != std::string::npos;
    double deviation = name.ends_with("bias") || is_norm ? 0 : config.init_std;
    if (name.starts_with("task_vectors.") || name.ends_with("gate.weight")) deviation = 1;
    tensors[name] = random_tensor(rng, shape, deviation, is_norm && name.ends_with("weight"));
  }
  return tensors;
}

// Of each task other weights over the experts; `used` is what `config`'s selection makes of them.
inline ModelRoutes tiny_routes(const ModelConfig& config, int64_t num_tasks, uint64_t seed) {
  Rng rng(seed);
  const auto draw = [&](int64_t layers, const std::function<bool(int64_t)>& is_pool) {
    std::vector<std::vector<float>> stack(static_cast<size_t>(layers), {1.0f});
    for (int64_t l = 0; l < layers; ++l) {
      if (!is_pool(l)) continue;
      std::vector<float>& weights = stack[static_cast<size_t>(l)];
      weights.resize(static_cast<size_t>(config.routing.num_experts));
      float sum = 0;
      for (float& weight : weights) sum += weight = static_cast<float>(std::exp(rng.normal()));
      for (float& weight : weights) weight /= sum;
    }
    return stack;
  };
  ModelRoutes routes;
  for (int64_t task = 0; task < num_tasks; ++task) {
    TaskRoute route;
    route.encoder =
        draw(config.encoder_layers, [&](int64_t l) { return config.encoder_layer_is_pool(l); });
    route.decoder =
        draw(config.decoder_layers, [&](int64_t l) { return config.decoder_layer_is_pool(l); });
    routes.likely.push_back(route);
    const bool is_soft = config.routing.selection == SelectionKind::kSoftmax;
    routes.used.push_back(is_soft ? route : main_experts_only(route));
  }
  return routes;
}

// sst2 (text), mnli (premise, hypothesis) and gsm8k_answer (question; open), with the templates of
// prompts/. The router's own tensors, which only training reads, are left out.
inline TinyCheckpoint tiny_checkpoint(TinyModel kind = TinyModel::kOneHot) {
  constexpr int64_t kTasks = 3;
  TinyCheckpoint checkpoint;
  CheckpointInfo& info = checkpoint.info;
  info.config = tiny_config(kind);
  checkpoint.tensors = tiny_weights(info.config, kTasks, 7);
  if (info.config.routing.num_experts > 1) info.routes = tiny_routes(info.config, kTasks, 3);
  info.tokenizer = load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
  const PromptLibrary prompts(std::filesystem::path(TRIVIUM_SOURCE_DIR) / "prompts");
  info.tasks.add(tiny_task("sst2", {"text"}, {"negative", "positive"}), prompts);
  info.tasks.add(
      tiny_task("mnli", {"premise", "hypothesis"}, {"entailment", "neutral", "contradiction"}),
      prompts);
  info.tasks.add(tiny_task("gsm8k_answer", {"question"}, {}), prompts);
  info.finder = TaskFinder::train({{"sst2", {"a witty film about a dull war"}},
                                   {"mnli", {"premise and hypothesis"}},
                                   {"gsm8k_answer", {"how many apples are left"}}});
  return checkpoint;
}

inline void save_checkpoint(const TinyCheckpoint& checkpoint, const std::filesystem::path& folder,
                            const SaveOptions& options = {}) {
  save_checkpoint(checkpoint.info, checkpoint.tensors, folder, options);
}

// A task as one that is added knows itself: yes or no to a text.
inline TaskEntry tiny_entry(const std::string& name) {
  TaskEntry entry;
  entry.task = tiny_task(name, {"text"}, {"yes", "no"});
  entry.example = Json::object();
  entry.prompt = std::make_shared<PromptTemplate>(plain_template(entry.task), entry.task, name);
  return entry;
}

// Adds a task to the checkpoint in `folder`, along the first task's route but for a random expert
// of its own in the decoder's first layer.
inline void add_tiny_task(const std::filesystem::path& folder, const std::string& name) {
  const OpenCheckpoint open = open_checkpoint(folder);
  Rng rng(9);
  save_added_task(
      folder, open, tiny_entry(name), main_experts_only(open.route(0)),
      {{std::string("decoder.layers.0.fc1.weight") + kDifference, random_tensor(rng, {48, 32})}});
}

}  // namespace trivium
