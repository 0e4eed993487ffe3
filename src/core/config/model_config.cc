#include "core/config/model_config.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/base/error.h"
#include "core/config/config_keys.h"
#include "core/config/generation_settings.h"

namespace trivium {
namespace {

// Upper bounds. Each is far above any published BART; together with kMaxParameters they keep a
// hostile config.json from asking for terabytes.
constexpr int64_t kMaxVocab = int64_t{1} << 22;
constexpr int64_t kMaxPositions = int64_t{1} << 17;
constexpr int64_t kMaxWidth = int64_t{1} << 16;
constexpr int64_t kMaxLayers = 256;
constexpr int64_t kMaxExperts = 256;
constexpr double kMaxParameters = 8e9;  // 32 GB in float32

// Keys that change what the model computes, with the only value that trivium implements.
const std::vector<std::pair<const char*, Json>>& fixed_keys() {
  static const std::vector<std::pair<const char*, Json>> keys = {
      {"model_type", "bart"},        {"activation_function", "gelu"},
      {"normalize_before", false},   {"add_final_layer_norm", false},
      {"normalize_embedding", true}, {"static_position_embeddings", false},
      {"extra_pos_embeddings", 2},   {"is_encoder_decoder", true},
      {"tie_word_embeddings", true},
  };
  return keys;
}

// Every key that has a field, with its bounds, in the order in which to_json writes them: reading
// and writing are both visitors of this table. The bounds of later keys use the values of earlier
// ones.
template <typename Config, typename Visitor>
void visit_hugging_face_keys(Config& c, Visitor& v) {
  v.number("vocab_size", c.vocab_size, 1, kMaxVocab, Presence::kRequired);
  v.number("max_position_embeddings", c.max_position_embeddings, 1, kMaxPositions,
           Presence::kRequired);
  v.number("d_model", c.d_model, 1, kMaxWidth, Presence::kRequired);
  v.number("encoder_layers", c.encoder_layers, 1, kMaxLayers, Presence::kRequired);
  v.number("decoder_layers", c.decoder_layers, 0, kMaxLayers, Presence::kRequired);
  v.number("encoder_attention_heads", c.encoder_attention_heads, 1, kMaxWidth, Presence::kRequired);
  v.number("decoder_attention_heads", c.decoder_attention_heads, 1, kMaxWidth, Presence::kRequired);
  v.number("encoder_ffn_dim", c.encoder_ffn_dim, 1, kMaxWidth, Presence::kRequired);
  v.number("decoder_ffn_dim", c.decoder_ffn_dim, 1, kMaxWidth, Presence::kRequired);
  v.number("dropout", c.dropout, 0.0, 0.99);
  v.number("attention_dropout", c.attention_dropout, 0.0, 0.99);
  v.number("activation_dropout", c.activation_dropout, 0.0, 0.99);
  v.number("init_std", c.init_std, 0.0, 10.0);
  v.boolean("scale_embedding", c.scale_embedding);
  const auto last_id = static_cast<int32_t>(c.vocab_size - 1);
  v.number("pad_token_id", c.pad_token_id, 0, last_id);
  v.number("bos_token_id", c.bos_token_id, 0, last_id);
  v.number("eos_token_id", c.eos_token_id, 0, last_id);
  v.number("decoder_start_token_id", c.decoder_start_token_id, 0, last_id);
  v.optional_id("forced_bos_token_id", c.forced_bos_token_id, last_id);
  v.optional_id("forced_eos_token_id", c.forced_eos_token_id, last_id);
  v.number("num_beams", c.num_beams, 1, 256);
  v.number("max_length", c.max_length, 1, static_cast<int>(kMaxPositions));
  v.number("min_length", c.min_length, 0, static_cast<int>(kMaxPositions));
  v.number("no_repeat_ngram_size", c.no_repeat_ngram_size, 0, 1024);
  v.number("repetition_penalty", c.repetition_penalty, 1e-3, 1e3);
  v.number("length_penalty", c.length_penalty, -100.0, 100.0);
  v.early_stopping("early_stopping", c.early_stopping);
  v.id_lists("bad_words_ids", c.bad_words_ids, last_id);
  v.ids("suppress_tokens", c.suppress_tokens, last_id);
  v.ids("begin_suppress_tokens", c.begin_suppress_tokens, last_id);
}

// The same for the object "trivium".
template <typename Config, typename Visitor>
void visit_trivium_keys(Config& c, Visitor& v) {
  v.number("layer_norm_eps", c.layer_norm_eps, 1e-20, 0.1);
  auto& r = c.routing;
  v.number("num_experts", r.num_experts, 1, kMaxExperts);
  v.layers("encoder_vanilla_layers", r.encoder_vanilla_layers, c.encoder_layers);
  v.layers("decoder_vanilla_layers", r.decoder_vanilla_layers, c.decoder_layers);
  v.name("route_source", r.route_source, route_source_names());
  v.name("router", r.router, router_names());
  v.name("selection", r.selection, selection_names());
  v.number("selection_temperature", r.selection_temperature, 1e-3, 1e6);
  v.number("task_vector_dim", r.task_vector_dim, 1, kMaxWidth);
  v.number("router_hidden_dim", r.router_hidden_dim, 1, kMaxWidth);
  auto& t = c.token_experts;
  v.number("feed_forward_experts", t.num_experts, 1, kMaxExperts);
  v.name("token_gates", t.gates, token_gate_names());
  v.name("gate_scale", t.scale, gate_scale_names());
  v.number("gate_embedding_dim", t.gate_embedding_dim, 0, kMaxWidth);
}

void refuse_unsupported(KeyReader& reader) {
  for (const auto& [key, only] : fixed_keys()) {
    const Json* value = reader.find(key);
    if (value == nullptr || *value == only) continue;
    reader.fail(key, "must be " + only.dump() + ": trivium implements no other");
  }
  for (const FixedGenerationKey& fixed : fixed_generation_keys()) {
    const Json* value = reader.find(fixed.key);
    if (value == nullptr || *value == fixed.only) continue;
    reader.fail(fixed.key, "must be " + fixed.only.dump() + ": " + fixed.remedy);
  }
  if (reader.find("quantization_config") != nullptr) {
    reader.fail("quantization_config", "is not supported: import the unquantised weights");
  }
}

// What the settings say of new tokens goes before what they say of all, which the start token is
// one of.
void read_new_token_limits(ModelConfig& config, KeyReader& reader) {
  int new_tokens = 0;
  if (reader.find("max_new_tokens") != nullptr) {
    reader.number("max_new_tokens", new_tokens, 1, static_cast<int>(kMaxPositions));
    config.max_length = new_tokens + 1;
  }
  if (reader.find("min_new_tokens") != nullptr) {
    reader.number("min_new_tokens", new_tokens, 0, static_cast<int>(kMaxPositions));
    config.min_length = new_tokens + 1;
  }
}

void check_together(const ModelConfig& c, const KeyReader& reader) {
  for (const auto& [key, heads] :
       {std::pair{"encoder_attention_heads", c.encoder_attention_heads},
        std::pair{"decoder_attention_heads", c.decoder_attention_heads}}) {
    if (c.d_model % heads != 0) {
      reader.fail(key, "is " + std::to_string(heads) + ", which does not divide d_model " +
                           std::to_string(c.d_model));
    }
  }
  const RoutingConfig& r = c.routing;
  const bool shared = r.router == RouterKind::kTransformer;
  if (r.num_experts > 1 && (shared || r.router == RouterKind::kTransformerLayerSpecific) &&
      (shared ? r.task_vector_dim : r.router_hidden_dim) % kRouterHeads != 0) {
    reader.fail(shared ? "trivium.task_vector_dim" : "trivium.router_hidden_dim",
                "must be a multiple of " + std::to_string(kRouterHeads) +
                    ", the heads of the transformer router");
  }
  if (r.num_experts > 1 && c.token_experts.num_experts > 1) {
    reader.fail("trivium.feed_forward_experts",
                "must be 1 where trivium.num_experts is above 1: an expert is a whole layer or a "
                "feed-forward part");
  }
  if (parameter_count(c) > kMaxParameters) {
    reader.fail("d_model", "and the layer and expert counts ask for more than " +
                               std::to_string(static_cast<int64_t>(kMaxParameters / 1e9)) +
                               " billion parameters");
  }
}

// in * out weights and out biases.
double linear(int64_t in, int64_t out) { return (in + 1.0) * static_cast<double>(out); }

double router_parameter_count(const RoutingConfig& r, int64_t layers) {
  const int64_t hidden = r.router_hidden_dim, dim = r.task_vector_dim;
  const auto recurrent = [&](int64_t in, double gates) {
    return 2 * gates * (linear(in, hidden) + linear(hidden, hidden)) +
           linear(2 * hidden, r.num_experts);
  };
  const auto transformer = [&](int64_t in) {
    return 4 * linear(in, in) + linear(in, hidden) + linear(hidden, in) +
           4 * static_cast<double>(in) + linear(in, r.num_experts);
  };
  const double positions = static_cast<double>(layers) * static_cast<double>(dim);
  const double expand = linear(dim, hidden * layers);
  switch (r.router) {
    case RouterKind::kLinear:
      return linear(dim, hidden) + linear(hidden, r.num_experts * layers);
    case RouterKind::kLinearLayerSpecific:
      return static_cast<double>(layers) * (linear(dim, hidden) + linear(hidden, r.num_experts));
    case RouterKind::kRnn:
      return positions + recurrent(dim, 1);
    case RouterKind::kRnnLayerSpecific:
      return expand + recurrent(hidden, 1);
    case RouterKind::kGru:
      return positions + recurrent(dim, 3);
    case RouterKind::kGruLayerSpecific:
      return expand + recurrent(hidden, 3);
    case RouterKind::kLstm:
      return positions + recurrent(dim, 4);
    case RouterKind::kLstmLayerSpecific:
      return expand + recurrent(hidden, 4);
    case RouterKind::kTransformer:
      return positions + transformer(dim);
    case RouterKind::kTransformerLayerSpecific:
      return expand + transformer(hidden);
  }
  throw std::logic_error("unknown router kind");
}

bool is_pool(const RoutingConfig& routing, const std::vector<int64_t>& vanilla, int64_t layer) {
  return routing.num_experts > 1 &&
         std::find(vanilla.begin(), vanilla.end(), layer) == vanilla.end();
}

}  // namespace

const EnumNames<RouterKind>& router_names() {
  static const EnumNames<RouterKind> names = {
      {"linear", RouterKind::kLinear},
      {"linear_layer_specific", RouterKind::kLinearLayerSpecific},
      {"rnn", RouterKind::kRnn},
      {"rnn_layer_specific", RouterKind::kRnnLayerSpecific},
      {"gru", RouterKind::kGru},
      {"gru_layer_specific", RouterKind::kGruLayerSpecific},
      {"lstm", RouterKind::kLstm},
      {"lstm_layer_specific", RouterKind::kLstmLayerSpecific},
      {"transformer", RouterKind::kTransformer},
      {"transformer_layer_specific", RouterKind::kTransformerLayerSpecific},
  };
  return names;
}

const EnumNames<RouteSource>& route_source_names() {
  static const EnumNames<RouteSource> names = {
      {"router", RouteSource::kRouter},
      {"table", RouteSource::kTable},
  };
  return names;
}

const EnumNames<SelectionKind>& selection_names() {
  static const EnumNames<SelectionKind> names = {
      {"softmax", SelectionKind::kSoftmax},
      {"gumbel_softmax", SelectionKind::kGumbelSoftmax},
      {"gumbel_softmax_st", SelectionKind::kGumbelStraightThrough},
  };
  return names;
}

const EnumNames<TokenGates>& token_gate_names() {
  static const EnumNames<TokenGates> names = {
      {"per_task", TokenGates::kPerTask},
      {"shared", TokenGates::kShared},
  };
  return names;
}

const EnumNames<GateScale>& gate_scale_names() {
  static const EnumNames<GateScale> names = {
      {"probability", GateScale::kProbability},
      {"probability_times_experts", GateScale::kProbabilityTimesExperts},
      {"straight_through", GateScale::kStraightThrough},
      {"none", GateScale::kNone},
  };
  return names;
}

bool ModelConfig::encoder_layer_is_pool(int64_t layer) const {
  return is_pool(routing, routing.encoder_vanilla_layers, layer);
}

bool ModelConfig::decoder_layer_is_pool(int64_t layer) const {
  return is_pool(routing, routing.decoder_vanilla_layers, layer);
}

double parameter_count(const ModelConfig& c) {
  const double attention = 4 * linear(c.d_model, c.d_model), norm = 2.0 * c.d_model;
  const auto feed_forward = [&](int64_t width) {
    return (linear(c.d_model, width) + linear(width, c.d_model)) * c.token_experts.num_experts;
  };
  const double encoder_layer = attention + feed_forward(c.encoder_ffn_dim) + 2 * norm;
  const double decoder_layer = 2 * attention + feed_forward(c.decoder_ffn_dim) + 3 * norm;
  const double positions = (c.max_position_embeddings + 2.0) * c.d_model;
  const int stacks = c.decoder_layers > 0 ? 2 : 1;
  double total = static_cast<double>(c.d_model) * c.vocab_size + stacks * (positions + norm);
  for (int64_t l = 0; l < c.encoder_layers; ++l) {
    total += encoder_layer * (c.encoder_layer_is_pool(l) ? c.routing.num_experts : 1);
  }
  for (int64_t l = 0; l < c.decoder_layers; ++l) {
    total += decoder_layer * (c.decoder_layer_is_pool(l) ? c.routing.num_experts : 1);
  }
  const RoutingConfig& r = c.routing;
  if (r.num_experts > 1 && r.route_source == RouteSource::kRouter) {
    total += router_parameter_count(r, c.encoder_layers + c.decoder_layers);
  }
  return total;
}

ModelConfig model_config_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) throw Error(ExitCode::kBadModel, where + ": must be a JSON object");
  KeyReader reader(json, where);
  refuse_unsupported(reader);
  ModelConfig config;
  visit_hugging_face_keys(config, reader);
  // Transformers before 4.7 had this switch instead of forced_bos_token_id.
  bool force_bos = false;
  reader.boolean("force_bos_token_to_be_generated", force_bos);
  if (force_bos && reader.find("forced_bos_token_id") == nullptr) {
    config.forced_bos_token_id = config.bos_token_id;
  }
  if (const Json* own = reader.find("trivium")) {
    if (!own->is_object()) reader.fail("trivium", "must be an object");
    KeyReader own_reader(*own, where, "trivium.");
    visit_trivium_keys(config, own_reader);
    own_reader.refuse_unknown();
  }
  read_new_token_limits(config, reader);
  if (config.max_length > config.max_position_embeddings) {
    for (const char* key : {"max_new_tokens", "max_length"}) {
      if (reader.find(key) == nullptr) continue;
      reader.fail(key, "asks for more ids than max_position_embeddings, with the start token");
    }
    config.max_length = static_cast<int>(config.max_position_embeddings);
  }
  check_together(config, reader);
  return config;
}

Json to_json(const ModelConfig& config) {
  Json json = {{"architectures", {"BartForConditionalGeneration"}}};
  for (const auto& [key, only] : fixed_keys()) json[key] = only;
  KeyWriter writer(json);
  visit_hugging_face_keys(config, writer);
  Json own = Json::object();
  KeyWriter own_writer(own);
  visit_trivium_keys(config, own_writer);
  json["trivium"] = std::move(own);
  return json;
}

}  // namespace trivium
