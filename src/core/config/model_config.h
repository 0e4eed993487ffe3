// The model's shape: Hugging Face's own config.json keys, and trivium's under "trivium".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/enum_names.h"
#include "core/base/json.h"

namespace trivium {

// From a task's vector to logits over experts (spec: docs/spec/task_level.md, section 2). A shared
// router has one body for all layers.
enum class RouterKind {
  kLinear,                    // "linear"
  kLinearLayerSpecific,       // "linear_layer_specific"
  kRnn,                       // "rnn"
  kRnnLayerSpecific,          // "rnn_layer_specific"
  kGru,                       // "gru"
  kGruLayerSpecific,          // "gru_layer_specific"
  kLstm,                      // "lstm"
  kLstmLayerSpecific,         // "lstm_layer_specific"
  kTransformer,               // "transformer"
  kTransformerLayerSpecific,  // "transformer_layer_specific"
};
constexpr int64_t kRouterHeads = 4;  // of the transformer routers' attention

const EnumNames<RouterKind>& router_names();

// Where a task's route comes from.
enum class RouteSource {
  kRouter,  // "router": a learned router reads the task's vector
  kTable,   // "table": a constant route a task, which no training moves (random, average, given)
};
const EnumNames<RouteSource>& route_source_names();

enum class SelectionKind {
  kSoftmax,                // "softmax"
  kGumbelSoftmax,          // "gumbel_softmax"
  kGumbelStraightThrough,  // "gumbel_softmax_st"
};
const EnumNames<SelectionKind>& selection_names();

// Where the pools of experts are and how routes are chosen (spec: docs/spec/task_level.md, sections
// 1 to 4).
struct RoutingConfig {
  int64_t num_experts = 1;                      // 1: a dense model
  std::vector<int64_t> encoder_vanilla_layers;  // layers that stay one ordinary layer
  std::vector<int64_t> decoder_vanilla_layers;
  RouteSource route_source = RouteSource::kRouter;
  RouterKind router = RouterKind::kLinearLayerSpecific;
  SelectionKind selection = SelectionKind::kSoftmax;
  double selection_temperature = 1.0;  // at use; training leaves here what it ended with
  int64_t task_vector_dim = 128;
  int64_t router_hidden_dim = 64;

  bool operator==(const RoutingConfig&) const = default;
};

// When beam search is done with a source that has num_beams ended beams.
enum class EarlyStopping {
  kOff,    // false: where the best live beam, ended here, is no better than the worst of them
  kOn,     // true: at once
  kNever,  // "never": where the best live beam could not become better at any length
};

// How many gates choose among a layer's feed-forward experts (spec: docs/spec/mt_tag.md, section
// 1).
enum class TokenGates {
  kPerTask,  // "per_task": one a task, as MT-TaG has them
  kShared,   // "shared": one for all tasks, as MT-Switch has it
};
const EnumNames<TokenGates>& token_gate_names();

// What the output of a token's expert is multiplied by. Only a factor with the gate's probability
// in it lets the gate learn.
enum class GateScale {
  kProbability,              // "probability": the paper's; about 1 / num_experts at the start
  kProbabilityTimesExperts,  // "probability_times_experts": about 1 at the start
  // "straight_through": 1, with the gradient of probability / constant(probability), so that the
  // gate learns and the output keeps its size however sure the gate becomes
  kStraightThrough,
  kNone,  // "none": 1; the gate does not learn
};

const EnumNames<GateScale>& gate_scale_names();

// Feed-forward experts chosen for every token: the layer's attention stays one.
struct TokenExpertConfig {
  int64_t num_experts = 1;  // 1: an ordinary feed-forward part
  TokenGates gates = TokenGates::kPerTask;
  GateScale scale = GateScale::kProbability;
  // Above 0, a task's gates are a linear function of its embedding of so many numbers, which all
  // layers share; 0: every gate has weights of its own.
  int64_t gate_embedding_dim = 0;

  bool operator==(const TokenExpertConfig&) const = default;
};

struct ModelConfig {
  // Hugging Face keys; defaults are facebook/bart-base's.
  int64_t vocab_size = 50265;
  int64_t max_position_embeddings = 1024;
  int64_t d_model = 768;
  int64_t encoder_layers = 6;
  int64_t decoder_layers = 6;
  int64_t encoder_attention_heads = 12;
  int64_t decoder_attention_heads = 12;
  int64_t encoder_ffn_dim = 3072;
  int64_t decoder_ffn_dim = 3072;
  std::string activation_function = "gelu";  // exact GELU is the only one supported
  double dropout = 0.1;
  double attention_dropout = 0.1;
  double activation_dropout = 0.1;
  double init_std = 0.02;
  bool scale_embedding = false;
  int32_t pad_token_id = 1;
  int32_t bos_token_id = 0;
  int32_t eos_token_id = 2;
  int32_t decoder_start_token_id = 2;
  int32_t forced_bos_token_id = -1;  // -1: none (null in JSON)
  int32_t forced_eos_token_id = 2;
  // Generation fields of the same file; defaults are transformers'.
  int num_beams = 1;
  int max_length = 20;
  int min_length = 0;
  int no_repeat_ngram_size = 0;
  double repetition_penalty = 1.0;
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::kOff;
  std::vector<std::vector<int32_t>> bad_words_ids;
  std::vector<int32_t> suppress_tokens;        // never an answer's
  std::vector<int32_t> begin_suppress_tokens;  // never its first
  // trivium's own, in the object "trivium"
  double layer_norm_eps = 1e-5;  // BERT-born encoders: 1e-12
  RoutingConfig routing;
  TokenExpertConfig token_experts;

  bool encoder_layer_is_pool(int64_t layer) const;
  bool decoder_layer_is_pool(int64_t layer) const;

  bool operator==(const ModelConfig&) const = default;
};

// The parameters of the whole model but for those that every task has of its own (vectors, gates),
// since the number of tasks is not part of the shape. A double, since a hostile configuration
// overflows an integer.
double parameter_count(const ModelConfig& config);

// From config.json. Unsupported variants (normalize_before, static positions, another activation…)
// are an Error (kBadModel) that names the key. `where` is the file.
ModelConfig model_config_from_json(const Json& json, const std::string& where);
// The same keys; model_config_from_json(to_json(c)) == c.
Json to_json(const ModelConfig& config);

}  // namespace trivium
