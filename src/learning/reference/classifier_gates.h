// Which expert each token of a text takes in each layer (mt_tag.md, section 10).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "learning/storage/classifier_checkpoint.h"
#include "learning/model/seq2seq_model.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium::learning {

// The tokens of one stack, and what its layers' gates choose for them.
struct GateMapStack {
  std::string name;                               // "encoder" or "decoder"
  std::vector<std::string> tokens;                // as the vocabulary writes them
  std::vector<std::vector<int64_t>> experts;      // [layers][tokens], from 0
  std::vector<std::vector<float>> probabilities;  // of those experts, [layers][tokens]
};

struct GateMap {
  std::string task;  // whose gates chose
  int64_t num_experts = 0;
  std::vector<GateMapStack> stacks;
};

// Of a text-to-text model in evaluation mode, on a source and the decoder's input (both as ids, one
// row); an empty decoder input leaves the decoder out. `task` is the row of the gates, and `name`
// its name. A bug where the model has no token gates.
GateMap gate_map(Seq2SeqModel& model, const Tokenizer& tokenizer,
                 const std::vector<int32_t>& source, const std::vector<int32_t>& decoder_input,
                 int64_t task, const std::string& name);

// Of a classifier, on one example.
GateMap gate_map(ClassifierCheckpoint& classifier, const LabelledExample& example);

}  // namespace trivium::learning
