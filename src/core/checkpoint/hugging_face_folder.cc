#include "core/checkpoint/hugging_face_folder.h"

#include <unistd.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/config/generation_settings.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr double kTransformersEpsilon = 1e-5;
// Of what LayerNorms read: their epsilon counts for 2^-16 of itself. A power of two changes no
// digit of a weight, and is small enough for float16.
constexpr float kScale = 256;

void refuse_what_has_no_place(const ModelConfig& config, StorageKind storage) {
  if (config.routing.num_experts > 1) {
    throw Error(ExitCode::kUsage,
                "Hugging Face's format has no experts; name a task with --task to export its "
                "experts as a dense model");
  }
  if (config.token_experts.num_experts > 1) {
    throw Error(ExitCode::kUsage, "Hugging Face's format has no token gates and their experts");
  }
  if (storage == StorageKind::kInt8) {
    throw Error(ExitCode::kUsage,
                "--storage int8 is trivium's own; give float32 or bfloat16 for Hugging Face");
  }
  if (config.layer_norm_eps > kTransformersEpsilon) {
    throw Error(ExitCode::kUsage, "layer_norm_eps is above 1e-5, transformers' own");
  }
}

void multiply(HostTensor& tensor, float factor) {
  const auto count = static_cast<size_t>(tensor.size());
  std::shared_ptr<float[]> values(new float[count]);
  for (size_t i = 0; i < count; ++i) values[i] = tensor.values.get()[i] * factor;
  tensor.values = std::shared_ptr<const float>(values, values.get());
}

// Lets what LayerNorms read be kScale times as large, and what others read be what it was: the
// output of a LayerNorm is scaled where another one adds to it, the weights that read it are scaled
// back, and what is added is scaled too. The last LayerNorm of a stack stays, since the decoder, or
// the output layer, reads it.
class ResidualScaling {
 public:
  explicit ResidualScaling(std::map<std::string, HostTensor>& tensors) : tensors_(tensors) {}

  // `parts`: of a layer, in order, the projections that read a state, those that add to it, and the
  // LayerNorm behind.
  struct Part {
    std::vector<std::string> reads;
    std::string adds, norm;
  };
  void scale_stack(const std::string& stack, int64_t layers, const std::vector<Part>& parts) {
    scale_norm(stack + "layernorm_embedding");
    for (int64_t l = 0; l < layers; ++l) {
      const std::string layer = stack + "layers." + std::to_string(l) + ".";
      for (size_t i = 0; i < parts.size(); ++i) {
        for (const std::string& read : parts[i].reads) {
          multiply(tensors_.at(layer + read + ".weight"), 1 / kScale);
        }
        for (const char* end : {".weight", ".bias"}) {
          multiply(tensors_.at(layer + parts[i].adds + end), kScale);
        }
        const bool is_last = l + 1 == layers && i + 1 == parts.size();
        if (!is_last) scale_norm(layer + parts[i].norm);
      }
    }
  }

 private:
  void scale_norm(const std::string& name) {
    for (const char* end : {".weight", ".bias"}) multiply(tensors_.at(name + end), kScale);
  }

  std::map<std::string, HostTensor>& tensors_;
};

void shrink_epsilon(ModelConfig& config, std::map<std::string, HostTensor>& tensors) {
  if (config.layer_norm_eps == kTransformersEpsilon) return;
  // The token embedding is the output layer too: its scale can be that of scale_embedding alone.
  if (!config.scale_embedding) {
    config.scale_embedding = true;
    const auto factor = static_cast<float>(std::sqrt(static_cast<double>(config.d_model)));
    for (const char* stack : {"encoder.", "decoder."}) {
      multiply(tensors.at(std::string(stack) + "embed_positions.weight"), factor);
    }
  }
  const ResidualScaling::Part self = {{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
                                      "self_attn.out_proj",
                                      "self_attn_layer_norm"};
  const ResidualScaling::Part cross = {
      {"encoder_attn.q_proj"}, "encoder_attn.out_proj", "encoder_attn_layer_norm"};
  const ResidualScaling::Part feed_forward = {{"fc1"}, "fc2", "final_layer_norm"};
  ResidualScaling scaling(tensors);
  scaling.scale_stack("encoder.", config.encoder_layers, {self, feed_forward});
  scaling.scale_stack("decoder.", config.decoder_layers, {self, cross, feed_forward});
  config.layer_norm_eps = kTransformersEpsilon;
}

std::map<std::string, HostTensor> with_their_names(
    const std::map<std::string, HostTensor>& tensors) {
  std::map<std::string, HostTensor> renamed;
  for (const auto& [name, tensor] : tensors) {
    renamed[name == "final_logits_bias" ? name : "model." + name] = tensor;
  }
  return renamed;
}

void write_configs(const CheckpointInfo& info, const fs::path& folder, StorageKind storage) {
  Json config = to_json(info.config);
  config.erase("trivium");
  Json generation = take_generation_settings(config);
  generation["pad_token_id"] = info.config.pad_token_id;
  for (const char* key : {"bos_token_id", "eos_token_id", "decoder_start_token_id"}) {
    config[key] = generation[key];
  }
  config["torch_dtype"] = storage == StorageKind::kBFloat16 ? "bfloat16" : "float32";
  write_file_atomically(folder / "config.json", config.dump(2) + "\n");
  write_file_atomically(folder / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace

void write_hugging_face_folder(const CheckpointInfo& info,
                               std::map<std::string, HostTensor> tensors, const fs::path& folder,
                               StorageKind storage, int64_t max_file_bytes) {
  refuse_what_has_no_place(info.config, storage);
  if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder))) {
    throw Error(ExitCode::kExists, folder.string() + " is there; name another folder");
  }
  CheckpointInfo scaled = info;
  shrink_epsilon(scaled.config, tensors);
  const fs::path target = fs::weakly_canonical(fs::absolute(folder));
  const fs::path staging = target.string() + ".tmp-" + std::to_string(::getpid());
  try {
    fs::create_directories(staging);
    write_configs(scaled, staging, storage);
    info.tokenizer->save(staging);
    write_tensor_files(staging, with_their_names(tensors), storage, max_file_bytes);
    if (fs::exists(target)) fs::remove(target);
    fs::rename(staging, target);
  } catch (const fs::filesystem_error& e) {
    throw Error(ExitCode::kIo, "cannot write " + folder.string() + ": " + e.code().message());
  }
}

}  // namespace trivium
