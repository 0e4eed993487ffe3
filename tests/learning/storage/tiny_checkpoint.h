// A small random checkpoint that knows three tasks, with its LibTorch model.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/data/prompt_template.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

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

// sst2 (text), mnli (premise, hypothesis) and gsm8k_answer (question; open), with the templates of
// prompts/. Two layers a stack, each a pool of three experts but the first of the encoder; a dense
// model for num_experts 1. The vocabulary has the letters of the alphabet.
inline Checkpoint tiny_checkpoint(int64_t num_experts = 3,
                                  SelectionKind selection = SelectionKind::kGumbelStraightThrough) {
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
  config.routing.num_experts = num_experts;
  config.routing.encoder_vanilla_layers = {0};
  config.routing.selection = selection;
  config.routing.task_vector_dim = 8;
  config.routing.router_hidden_dim = 6;
  Checkpoint checkpoint;
  checkpoint.model = Seq2SeqModel(config, num_experts > 1 ? 3 : 0);
  checkpoint.model->init_weights(/*seed=*/7);
  checkpoint.tokenizer = load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
  const PromptLibrary prompts(std::filesystem::path(TRIVIUM_SOURCE_DIR) / "prompts");
  checkpoint.tasks.add(tiny_task("sst2", {"text"}, {"negative", "positive"}), prompts);
  checkpoint.tasks.add(
      tiny_task("mnli", {"premise", "hypothesis"}, {"entailment", "neutral", "contradiction"}),
      prompts);
  checkpoint.tasks.add(tiny_task("gsm8k_answer", {"question"}, {}), prompts);
  checkpoint.finder = TaskFinder::train({{"sst2", {"a witty film about a dull war"}},
                                         {"mnli", {"premise and hypothesis"}},
                                         {"gsm8k_answer", {"how many apples are left"}}});
  return checkpoint;
}

}  // namespace trivium::learning
