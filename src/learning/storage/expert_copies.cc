#include "learning/storage/expert_copies.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

struct LayerTensor {
  bool is_encoder = false;
  int64_t layer = 0;
  std::string rest;  // "self_attn.q_proj.weight"
};

// Takes "encoder.layers.3.fc1.weight" apart; nothing for a tensor outside the layers.
std::optional<LayerTensor> parse_layer_tensor(std::string_view name) {
  constexpr std::string_view kEncoder = "encoder.layers.", kDecoder = "decoder.layers.";
  if (!name.starts_with(kEncoder) && !name.starts_with(kDecoder)) return std::nullopt;
  LayerTensor parsed;
  parsed.is_encoder = name.starts_with(kEncoder);
  name.remove_prefix(kEncoder.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), parsed.layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  parsed.rest = name.substr(static_cast<size_t>(end - name.data()) + 1);
  return parsed;
}

// Whether every expert has the tensor of its own: all of a layer that is a pool, or the layer's
// feed-forward part.
bool is_experts_own(const LayerTensor& tensor, const ModelConfig& config) {
  if (config.token_experts.num_experts > 1) {
    return tensor.rest.starts_with("fc1.") || tensor.rest.starts_with("fc2.");
  }
  return tensor.is_encoder ? config.encoder_layer_is_pool(tensor.layer)
                           : config.decoder_layer_is_pool(tensor.layer);
}

// Copies the experts' own tensors to each of them, with noise (docs/spec/task_level.md,
// section 1.7).
NamedTensors copy_to_experts(NamedTensors dense, const ModelConfig& config,
                             const ExpertOptions& options) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(options.seed);
  const int64_t num_experts =
      std::max(config.routing.num_experts, config.token_experts.num_experts);
  NamedTensors routed;
  for (auto& [name, tensor] : dense) {
    const auto parsed = parse_layer_tensor(name);
    if (!parsed || !is_experts_own(*parsed, config)) {
      routed.emplace(name, std::move(tensor));
      continue;
    }
    const std::string prefix = name.substr(0, name.size() - parsed->rest.size()) + "experts.";
    for (int64_t e = 0; e < num_experts; ++e) {
      const torch::Tensor noise = torch::randn(tensor.sizes(), generator);
      routed.emplace(prefix + std::to_string(e) + "." + parsed->rest,
                     tensor + noise * options.expert_noise);
    }
  }
  return routed;
}

// New gates for every layer, and the tasks' embeddings where they are made from such.
void add_gates(NamedTensors& tensors, const ModelConfig& config, const ExpertOptions& options) {
  torch::manual_seed(options.seed);
  const TokenExpertConfig& experts = config.token_experts;
  const int64_t count = experts.gates == TokenGates::kPerTask ? options.num_tasks : 1;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    torch::Tensor value = torch::empty(shape);
    init_parameter(name, value, config.init_std);
    tensors.emplace(name, value);
  };
  if (experts.gate_embedding_dim > 0) {
    add("gate_embeddings.weight", {count, experts.gate_embedding_dim});
  }
  for (const auto& [stack, layers] :
       {std::pair{"encoder", config.encoder_layers}, std::pair{"decoder", config.decoder_layers}}) {
    for (int64_t l = 0; l < layers; ++l) {
      const std::string gate = std::string(stack) + ".layers." + std::to_string(l) + ".gate.";
      if (experts.gate_embedding_dim > 0) {
        add(gate + "generator", {experts.num_experts * config.d_model, experts.gate_embedding_dim});
      } else {
        add(gate + "weight", {count, experts.num_experts, config.d_model});
      }
    }
  }
}

}  // namespace

torch::Tensor route_table(const torch::Tensor& weights) {
  return weights.transpose(0, 1).flatten(1).contiguous();
}

NamedTensors add_experts(NamedTensors dense, const ModelConfig& config,
                         const ExpertOptions& options) {
  if (config.routing.num_experts == 1 && config.token_experts.num_experts == 1) return dense;
  NamedTensors tensors = copy_to_experts(std::move(dense), config, options);
  if (config.token_experts.num_experts > 1) {
    add_gates(tensors, config, options);
    return tensors;
  }
  if (config.routing.route_source == RouteSource::kTable) {
    const int64_t layers = config.encoder_layers + config.decoder_layers;
    const int64_t num_experts = config.routing.num_experts;
    tensors.emplace("route_table.weight",
                    route_table(torch::full({layers, options.num_tasks, num_experts},
                                            1.0 / static_cast<double>(num_experts))));
    return tensors;
  }
  torch::manual_seed(options.seed);
  const auto router = make_router(config.routing, config.encoder_layers + config.decoder_layers);
  router->init_weights(options.router_std > 0 ? options.router_std : config.init_std);
  for (const auto& item : router->named_parameters()) {
    tensors.emplace("router." + item.key(), item.value().detach());
  }
  tensors.emplace("task_vectors.weight",
                  torch::randn({options.num_tasks, config.routing.task_vector_dim}));
  return tensors;
}

Checkpoint with_constant_routes(const Checkpoint& routed, const torch::Tensor& weights,
                                const TaskCatalog& tasks) {
  check(routed.model->is_routed(), "a dense model has no routes");
  Checkpoint result = routed;
  result.tasks = tasks;
  result.finder.reset();
  ModelConfig config = routed.config();
  config.routing.route_source = RouteSource::kTable;
  NamedTensors tensors = copied_tensors(routed.model);
  std::erase_if(tensors, [](const auto& item) {
    return item.first.starts_with("router.") || item.first.starts_with("task_vectors.");
  });
  tensors["route_table.weight"] = route_table(weights);
  result.model = model_from_tensors(config, std::move(tensors), "the model");
  return result;
}

Checkpoint make_routed(const Checkpoint& dense, const ExpertOptions& options) {
  if (dense.model->is_routed() || dense.model->has_token_gates()) {
    throw Error(ExitCode::kConfig, "the model to start from has experts already");
  }
  // Through JSON, since that is where ranges are checked.
  ModelConfig config = dense.config();
  config.routing = options.routing;
  config.token_experts = options.token_experts;
  config = model_config_from_json(to_json(config), "the settings of [model]");
  Checkpoint routed = dense;
  routed.model = model_from_tensors(
      config, add_experts(copied_tensors(dense.model), config, options), "the routed model");
  return routed;
}

}  // namespace trivium::learning
