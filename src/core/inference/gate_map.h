// Which expert each token of a text takes in each layer (docs/spec/mt_tag.md, section 10).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/engine.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium {

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

// Of a model with token gates, on a source and the decoder's input (both as ids); an empty decoder
// input leaves the decoder out. `gates` is the row of the gates, and `name` the name of its task. A
// model without token gates is a bug; errors as Engine::start and Engine::log_gates.
GateMap gate_map(Engine& engine, const Tokenizer& tokenizer, const std::vector<int32_t>& source,
                 const std::vector<int32_t>& decoder_input, int64_t gates, const std::string& name);

}  // namespace trivium
