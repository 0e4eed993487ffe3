#include "learning/storage/hugging_face.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/checkpoint/safetensors_header.h"
#include "core/config/generation_settings.h"
#include "learning/storage/expert_copies.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& folder, const std::string& problem) {
  throw Error(ExitCode::kBadModel, folder.string() + ": " + problem);
}

Json read_config(const fs::path& folder) {
  Json config = read_json_file(folder / "config.json", ExitCode::kBadModel);
  if (!config.is_object()) fail(folder, "config.json must be an object");
  if (config.contains("trivium")) fail(folder, "is a trivium checkpoint already");
  return config;
}

// Newer transformers keep the generation settings in a file of their own.
std::optional<Json> read_generation_config(const fs::path& folder) {
  const fs::path file = folder / "generation_config.json";
  if (!fs::exists(file)) return std::nullopt;
  return read_json_file(file, ExitCode::kBadModel);
}

// The tensor `name`, taken out of `tensors`.
torch::Tensor take(NamedTensors& tensors, const std::string& name, const fs::path& folder) {
  auto node = tensors.extract(name);
  if (node.empty()) fail(folder, "tensor " + quoted_name(name) + " is missing");
  return node.mapped();
}

// Builds the checkpoint from a dense model's tensors, named as BART names them without "model.".
Checkpoint finish_import(ModelConfig config, NamedTensors dense,
                         std::shared_ptr<Tokenizer> tokenizer, const fs::path& folder,
                         const ExpertOptions& options) {
  tokenizer->set_model_rows(config.vocab_size);
  // Through JSON, since that is where ranges are checked.
  config.routing = options.routing;
  config.token_experts = options.token_experts;
  config = model_config_from_json(to_json(config), (folder / "config.json").string());
  NamedTensors tensors = add_experts(std::move(dense), config, options);
  Checkpoint checkpoint;
  checkpoint.model = model_from_tensors(config, std::move(tensors), folder.string());
  checkpoint.tokenizer = std::move(tokenizer);
  return checkpoint;
}

// ---- BART

// Renames to trivium's names, and checks and drops the copies that some files hold of
// shared.weight.
NamedTensors normalize_bart(NamedTensors stored, const ModelConfig& config,
                            const fs::path& folder) {
  constexpr std::string_view kPrefix = "model.";
  NamedTensors tensors;
  for (auto& [name, tensor] : stored) {
    const std::string bare = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
    if (bare == "encoder.version" || bare == "decoder.version") continue;  // fairseq's
    if (!tensors.emplace(bare, std::move(tensor)).second) {
      fail(folder, "tensor " + quoted_name(bare) + " occurs with and without \"model.\"");
    }
  }
  for (const char* copy :
       {"lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
    auto node = tensors.extract(copy);
    if (node.empty()) continue;
    const auto [shared, inserted] = tensors.emplace("shared.weight", node.mapped());
    if (!inserted && !torch::equal(shared->second, node.mapped())) {
      fail(folder, "tensor " + quoted_name(copy) +
                       " differs from shared.weight; trivium has only tied embeddings");
    }
  }
  tensors.emplace("final_logits_bias", torch::zeros({1, config.vocab_size}));  // where absent
  return tensors;
}

// ---- BERT

// A layer's sub-modules: BERT's name and trivium's (docs/spec/parity.md, section 4).
constexpr std::array<std::pair<const char*, const char*>, 8> kBertLayerNames{{
    {"attention.self.query", "self_attn.q_proj"},
    {"attention.self.key", "self_attn.k_proj"},
    {"attention.self.value", "self_attn.v_proj"},
    {"attention.output.dense", "self_attn.out_proj"},
    {"attention.output.LayerNorm", "self_attn_layer_norm"},
    {"intermediate.dense", "fc1"},
    {"output.dense", "fc2"},
    {"output.LayerNorm", "final_layer_norm"},
}};

// BERT's config.json in BART's keys. Absent keys become null, which the reader of BART's keys
// reports.
Json bert_config_as_bart(const Json& bert, const BertLayers& layers, const SpecialTokens& special) {
  const auto get = [&](const char* key) { return bert.contains(key) ? bert.at(key) : Json(); };
  const Json heads = get("num_attention_heads"), ffn = get("intermediate_size");
  const Json positions = get("max_position_embeddings");
  constexpr int64_t kUsualLength = 64;
  const int64_t longest = positions.is_number_integer()
                              ? std::min(kUsualLength, positions.get<int64_t>())
                              : kUsualLength;
  return {
      {"vocab_size", get("vocab_size")},
      {"max_position_embeddings", positions},
      {"d_model", get("hidden_size")},
      {"encoder_layers", layers.encoder},
      {"decoder_layers", layers.decoder},
      {"encoder_attention_heads", heads},
      {"decoder_attention_heads", heads},
      {"encoder_ffn_dim", ffn},
      {"decoder_ffn_dim", ffn},
      {"activation_function", get("hidden_act")},
      {"dropout", get("hidden_dropout_prob")},
      {"attention_dropout", get("attention_probs_dropout_prob")},
      {"activation_dropout", 0.0},
      {"init_std", get("initializer_range")},
      {"pad_token_id", special.pad},
      {"bos_token_id", special.bos},
      {"eos_token_id", special.eos},
      {"decoder_start_token_id", special.bos},
      {"forced_bos_token_id", nullptr},
      {"forced_eos_token_id", nullptr},
      {"num_beams", 4},
      {"max_length", longest},
      {"trivium", {{"layer_norm_eps", get("layer_norm_eps")}}},
  };
}

void check_bert_config(const Json& bert, const fs::path& folder) {
  const std::vector<std::pair<const char*, Json>> fixed = {
      {"model_type", "bert"}, {"position_embedding_type", "absolute"}, {"is_decoder", false}};
  for (const auto& [key, only] : fixed) {
    if (bert.contains(key) && bert.at(key) != only) {
      fail(folder, std::string("config.json: key \"") + key + "\" must be " + only.dump());
    }
  }
}

int64_t bert_layer_count(const Json& bert, const fs::path& folder) {
  const auto found = bert.find("num_hidden_layers");
  if (found == bert.end() || !found->is_number_integer() || *found < 1 || *found > 256) {
    fail(folder, "config.json: key \"num_hidden_layers\" must be a whole number from 1 to 256");
  }
  return found->get<int64_t>();
}

// Drops "bert.", the heads that trivium has no use for, and TensorFlow's names of LayerNorm
// weights.
NamedTensors normalize_bert(NamedTensors stored, const fs::path& folder) {
  NamedTensors tensors;
  for (auto& [name, tensor] : stored) {
    std::string bare = name.starts_with("bert.") ? name.substr(5) : name;
    if (bare.starts_with("pooler.") || bare.starts_with("cls.") ||
        bare == "embeddings.position_ids" || bare == "embeddings.token_type_ids") {
      continue;
    }
    for (const auto& [old_end, new_end] :
         {std::pair{"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}}) {
      if (bare.ends_with(old_end)) {
        bare = bare.substr(0, bare.size() - std::string_view(old_end).size()) + new_end;
      }
    }
    if (!tensors.emplace(bare, std::move(tensor)).second) {
      fail(folder, "tensor " + quoted_name(bare) + " occurs twice");
    }
  }
  return tensors;
}

// The learned positions with token-type row 0 added, beneath BART's two unused rows:
// [max_position_embeddings + 2, d_model].
struct BertPositions {
  torch::Tensor folded;
  torch::Tensor second_segment;  // [1, d_model]: token-type row 1 less row 0
};
BertPositions take_positions(NamedTensors& bert, const ModelConfig& config,
                             const fs::path& folder) {
  const auto positions = take(bert, "embeddings.position_embeddings.weight", folder);
  const auto types = take(bert, "embeddings.token_type_embeddings.weight", folder);
  if (positions.sizes() != at::IntArrayRef{config.max_position_embeddings, config.d_model} ||
      types.dim() != 2 || types.size(0) < 1 || types.size(1) != config.d_model) {
    fail(folder, "the position or token-type embeddings have other shapes than config.json says");
  }
  return {torch::cat({torch::zeros({2, config.d_model}), positions + types[0]}),
          types.size(0) > 1 ? (types[1] - types[0]).unsqueeze(0).contiguous()
                            : torch::zeros({1, config.d_model})};
}

// One BERT layer's tensors by trivium's names ("self_attn.q_proj.weight").
using BertLayer = NamedTensors;

std::vector<BertLayer> take_bert_layers(NamedTensors& bert, int64_t count, const fs::path& folder) {
  std::vector<BertLayer> layers(count);
  for (int64_t l = 0; l < count; ++l) {
    for (const auto& [theirs, ours] : kBertLayerNames) {
      for (const std::string end : {".weight", ".bias"}) {
        layers[l][ours + end] =
            take(bert, "encoder.layer." + std::to_string(l) + "." + theirs + end, folder);
      }
    }
  }
  return layers;
}

// Adds one stack's tensors; `positions`, `norm` and the layers are copied, since both stacks train.
void add_stack(const std::string& stack, const std::vector<BertLayer>& layers,
               const std::vector<int64_t>& chosen, NamedTensors& out) {
  for (size_t i = 0; i < chosen.size(); ++i) {
    const std::string prefix = stack + ".layers." + std::to_string(i) + ".";
    for (const auto& [name, tensor] : layers[chosen[i]]) {
      out[prefix + name] = tensor.clone();
      // "self_attn.q_proj" serves as "encoder_attn.q_proj", "self_attn_layer_norm" likewise.
      if (stack == "decoder" && name.starts_with("self_attn")) {
        out[prefix + "encoder_attn" + name.substr(9)] = tensor.clone();
      }
    }
  }
}

// Makes a decoder's layers add the mean of the encoder's states, and nothing else, to what they
// read.
void read_the_mean(NamedTensors& tensors, int64_t layers) {
  for (int64_t l = 0; l < layers; ++l) {
    const std::string prefix = "decoder.layers." + std::to_string(l) + ".";
    const auto at = [&](const std::string& name) -> torch::Tensor& {
      return tensors.at(prefix + name);
    };
    for (const char* end : {".weight", ".bias"}) {
      for (const char* none : {"self_attn.out_proj", "encoder_attn.q_proj", "fc2"}) {
        at(std::string(none) + end).zero_();
      }
    }
    for (const char* through : {"encoder_attn.v_proj", "encoder_attn.out_proj"}) {
      torch::nn::init::eye_(at(std::string(through) + ".weight"));
      at(std::string(through) + ".bias").zero_();
    }
    for (const char* norm :
         {"self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"}) {
      at(std::string(norm) + ".weight").fill_(1);
      at(std::string(norm) + ".bias").zero_();
    }
  }
}

// A BERT folder taken apart: the embeddings under trivium's names, and the layers.
struct BertParts {
  ModelConfig config;
  NamedTensors tensors;
  torch::Tensor second_segment;
  std::vector<BertLayer> layers;
  std::shared_ptr<Tokenizer> tokenizer;
};
BertParts read_bert(const fs::path& folder, const Json& json, const BertLayers& layers) {
  BertParts parts;
  parts.tokenizer = load_tokenizer(folder);
  parts.config =
      model_config_from_json(bert_config_as_bart(json, layers, parts.tokenizer->special()),
                             (folder / "config.json").string() + " in BART's keys");
  parts.tokenizer->set_model_rows(parts.config.vocab_size);
  NamedTensors bert = normalize_bert(read_tensors(folder), folder);
  parts.tensors["shared.weight"] = take(bert, "embeddings.word_embeddings.weight", folder);
  const BertPositions positions = take_positions(bert, parts.config, folder);
  parts.tensors["encoder.embed_positions.weight"] = positions.folded;
  parts.second_segment = positions.second_segment;
  for (const char* end : {"weight", "bias"}) {
    parts.tensors[std::string("encoder.layernorm_embedding.") + end] =
        take(bert, std::string("embeddings.LayerNorm.") + end, folder);
  }
  parts.layers = take_bert_layers(bert, bert_layer_count(json, folder), folder);
  if (!bert.empty()) fail(folder, "unknown tensor " + quoted_name(bert.begin()->first));
  return parts;
}

}  // namespace

std::vector<int64_t> evenly_spaced_layers(int64_t count, int64_t available) {
  check(count >= 1 && count <= available, "evenly_spaced_layers: count out of range");
  std::vector<int64_t> layers;
  for (int64_t i = 1; i <= count; ++i) {
    layers.push_back((2 * i * available + count) / (2 * count) -
                     1);  // i * available / count, rounded
  }
  return layers;
}

Checkpoint import_bart(const fs::path& folder, const ExpertOptions& options) {
  const Json json = with_generation_settings(read_config(folder), read_generation_config(folder),
                                             folder.string());
  ModelConfig config = model_config_from_json(json, (folder / "config.json").string());
  NamedTensors tensors = normalize_bart(read_tensors(folder), config, folder);
  return finish_import(std::move(config), std::move(tensors), load_tokenizer(folder), folder,
                       options);
}

Checkpoint import_bert_as_seq2seq(const fs::path& folder, const BertLayers& layers,
                                  const ExpertOptions& options) {
  const Json json = read_config(folder);
  check_bert_config(json, folder);
  const int64_t available = bert_layer_count(json, folder);
  for (const int64_t count : {layers.encoder, layers.decoder}) {
    if (count < 1 || count > available) {
      throw Error(ExitCode::kUsage, "a stack can take from 1 to " + std::to_string(available) +
                                        " layers of " + folder.string() + ", not " +
                                        std::to_string(count));
    }
  }
  BertParts parts = read_bert(folder, json, layers);
  NamedTensors& tensors = parts.tensors;
  tensors["final_logits_bias"] = torch::zeros({1, parts.config.vocab_size});
  for (const char* name :
       {"embed_positions.weight", "layernorm_embedding.weight", "layernorm_embedding.bias"}) {
    tensors[std::string("decoder.") + name] = tensors.at(std::string("encoder.") + name).clone();
  }
  const int64_t all = static_cast<int64_t>(parts.layers.size());
  add_stack("encoder", parts.layers, evenly_spaced_layers(layers.encoder, all), tensors);
  add_stack("decoder", parts.layers, evenly_spaced_layers(layers.decoder, all), tensors);
  if (layers.start == DecoderStart::kMean) read_the_mean(tensors, layers.decoder);
  return finish_import(std::move(parts.config), std::move(tensors), std::move(parts.tokenizer),
                       folder, options);
}

BertEncoder import_bert_encoder(const fs::path& folder, int64_t layers) {
  const Json json = read_config(folder);
  check_bert_config(json, folder);
  const int64_t available = bert_layer_count(json, folder);
  if (layers < 0 || layers > available) {
    throw Error(ExitCode::kUsage, folder.string() + " has " + std::to_string(available) +
                                      " layers, not " + std::to_string(layers));
  }
  const int64_t count = layers == 0 ? available : layers;
  BertParts parts = read_bert(folder, json, {count, 0});
  std::vector<int64_t> first(static_cast<size_t>(count));
  std::iota(first.begin(), first.end(), int64_t{0});
  add_stack("encoder", parts.layers, first, parts.tensors);
  parts.tensors["second_segment.weight"] = parts.second_segment;
  return {std::move(parts.config), std::move(parts.tensors), std::move(parts.tokenizer)};
}

}  // namespace trivium::learning
