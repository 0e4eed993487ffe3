#include "checkpoint/expert_copies.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace trivium {
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

// Copies every layer that is a pool to each of its experts, with noise (task_level_moe.md, 1.7).
NamedTensors copy_to_experts(NamedTensors dense, const ModelConfig& config,
                             const ExpertOptions& options) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(options.seed);
  NamedTensors routed;
  for (auto& [name, tensor] : dense) {
    const auto parsed = parse_layer_tensor(name);
    const bool pool = parsed && (parsed->is_encoder ? config.encoder_layer_is_pool(parsed->layer)
                                                    : config.decoder_layer_is_pool(parsed->layer));
    if (!pool) {
      routed.emplace(name, std::move(tensor));
      continue;
    }
    const std::string prefix = name.substr(0, name.size() - parsed->rest.size()) + "experts.";
    for (int64_t e = 0; e < config.routing.num_experts; ++e) {
      const torch::Tensor noise = torch::randn(tensor.sizes(), generator);
      routed.emplace(prefix + std::to_string(e) + "." + parsed->rest,
                     tensor + noise * options.expert_noise);
    }
  }
  return routed;
}

}  // namespace

torch::Tensor route_table(const torch::Tensor& weights) {
  return weights.transpose(0, 1).flatten(1).contiguous();
}

NamedTensors add_experts(NamedTensors dense, const ModelConfig& config,
                         const ExpertOptions& options) {
  if (config.routing.num_experts == 1) return dense;
  NamedTensors tensors = copy_to_experts(std::move(dense), config, options);
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
  result.config.routing.route_source = RouteSource::kTable;
  NamedTensors tensors = copied_tensors(routed.model);
  std::erase_if(tensors, [](const auto& item) {
    return item.first.starts_with("router.") || item.first.starts_with("task_vectors.");
  });
  tensors["route_table.weight"] = route_table(weights);
  result.model = model_from_tensors(result.config, std::move(tensors), "the model");
  return result;
}

Checkpoint make_routed(const Checkpoint& dense, const ExpertOptions& options) {
  if (dense.model->is_routed()) {
    throw Error(ExitCode::kConfig, "the model to start from has experts already");
  }
  // Through JSON, since that is where ranges are checked.
  ModelConfig config = dense.config;
  config.routing = options.routing;
  config = model_config_from_json(to_json(config), "the settings of [model]");
  Checkpoint routed = dense;
  routed.model = model_from_tensors(
      config, add_experts(copied_tensors(dense.model), config, options), "the routed model");
  routed.config = config;
  return routed;
}

}  // namespace trivium
