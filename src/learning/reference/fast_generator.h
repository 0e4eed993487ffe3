// Prompts in, answers out, of a checkpoint in memory: how a model is scored while it is trained.
#pragma once

#include "core/inference/text_generator.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// On the fast engine, in float32, with as many threads as LibTorch has; where the model is on a
// GPU, on LibTorch there. The engine packs the weights as they are now, each expert when a route
// first uses it: no step may be made between the first prompt and the last. The model must be in
// evaluation mode.
TextGenerator fast_generator(const Checkpoint& checkpoint, const GeneratorOptions& options = {});

}  // namespace trivium::learning
