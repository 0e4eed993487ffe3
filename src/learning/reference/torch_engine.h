// LibTorch's forward pass behind the engine's interface: the reference that the fast engine is
// tested against, and what answers while a model is trained.
#pragma once

#include <filesystem>
#include <memory>

#include "core/engine/engine.h"
#include "core/inference/loaded_model.h"
#include "core/inference/text_generator.h"
#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

// The model must be in evaluation mode on its device.
std::shared_ptr<Engine> torch_engine(Seq2SeqModel model);

// Prompts in, answers out, on LibTorch.
TextGenerator torch_generator(Seq2SeqModel model, std::shared_ptr<const Tokenizer> tokenizer,
                              const GeneratorOptions& options = {});

// A checkpoint that LibTorch answers for, along the routes that it stores. Errors as
// load_checkpoint.
LoadedModel load_on_torch(const std::filesystem::path& folder, torch::Device device,
                          const GeneratorOptions& options = {});

}  // namespace trivium::learning
