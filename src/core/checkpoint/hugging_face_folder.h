// A dense model as a folder that Hugging Face's transformers loads as a
// BartForConditionalGeneration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/base/host_tensor.h"
#include "core/checkpoint/checkpoint.h"

namespace trivium {

// Writes config.json, generation_config.json, model.safetensors (or shards) and the tokenizer's
// files; what the checkpoint knows of tasks has no place there. transformers' LayerNorms have an
// epsilon of 1e-5: of a model with a smaller one, the weights are scaled by powers of two so that
// the LayerNorms get what is as good as that. Error kUsage for a model with experts or for int8,
// which transformers does not know; kExists where the folder is there and not empty; kIo.
void write_hugging_face_folder(const CheckpointInfo& info,
                               std::map<std::string, HostTensor> tensors,
                               const std::filesystem::path& folder, StorageKind storage,
                               int64_t max_file_bytes);

}  // namespace trivium
