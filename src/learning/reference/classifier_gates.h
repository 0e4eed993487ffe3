// Which expert each token of an example takes in each layer, by the LibTorch model: of classifiers,
// which the engine does not compute, and of text-to-text models as the engine's reference.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/inference/gate_map.h"
#include "learning/storage/classifier_checkpoint.h"

namespace trivium::learning {

// As the core's gate_map; the model must be in evaluation mode.
GateMap gate_map(Seq2SeqModel& model, const Tokenizer& tokenizer,
                 const std::vector<int32_t>& source, const std::vector<int32_t>& decoder_input,
                 int64_t task, const std::string& name);

// Of a classifier, on one example.
GateMap gate_map(ClassifierCheckpoint& classifier, const LabelledExample& example);

}  // namespace trivium::learning
