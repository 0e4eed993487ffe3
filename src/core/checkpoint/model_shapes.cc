#include "core/checkpoint/model_shapes.h"

#include "core/base/error.h"
#include "core/checkpoint/safetensors_header.h"
#include "core/checkpoint/tensor_files.h"

namespace trivium {
namespace {

constexpr int64_t kPositionOffset = 2;  // of BART's tables of positions

// Adds the tensors of a model, one after the other.
class ShapeList {
 public:
  ShapeList(const ModelConfig& config, int64_t num_tasks)
      : config_(config), num_tasks_(num_tasks) {}

  ShapesByName all() {
    const int64_t d_model = config_.d_model;
    shapes_["shared.weight"] = {config_.vocab_size, d_model};
    shapes_["final_logits_bias"] = {1, config_.vocab_size};
    add_stack("encoder.", config_.encoder_layers, config_.encoder_ffn_dim, /*crosses=*/false);
    if (config_.decoder_layers > 0) {
      add_stack("decoder.", config_.decoder_layers, config_.decoder_ffn_dim, /*crosses=*/true);
    }
    const TokenExpertConfig& tokens = config_.token_experts;
    if (tokens.num_experts > 1 && tokens.gate_embedding_dim > 0) {
      shapes_["gate_embeddings.weight"] = {num_tasks_, tokens.gate_embedding_dim};
    }
    if (config_.routing.num_experts > 1) add_routes();
    return std::move(shapes_);
  }

 private:
  void add_linear(const std::string& name, int64_t columns, int64_t depth) {
    shapes_[name + ".weight"] = {columns, depth};
    shapes_[name + ".bias"] = {columns};
  }

  void add_norm(const std::string& name) {
    shapes_[name + ".weight"] = {config_.d_model};
    shapes_[name + ".bias"] = {config_.d_model};
  }

  void add_attention(const std::string& name) {
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      add_linear(name + "." + part, config_.d_model, config_.d_model);
    }
    add_norm(name + "_layer_norm");
  }

  void add_feed_forward(const std::string& layer, int64_t d_ffn) {
    const TokenExpertConfig& tokens = config_.token_experts;
    for (int64_t e = 0; e < tokens.num_experts; ++e) {
      const std::string expert =
          tokens.num_experts == 1 ? layer : layer + "experts." + std::to_string(e) + ".";
      add_linear(expert + "fc1", d_ffn, config_.d_model);
      add_linear(expert + "fc2", config_.d_model, d_ffn);
    }
    if (tokens.num_experts == 1) return;
    if (tokens.gate_embedding_dim > 0) {
      shapes_[layer + "gate.generator"] = {tokens.num_experts * config_.d_model,
                                           tokens.gate_embedding_dim};
    } else {
      const int64_t gates = tokens.gates == TokenGates::kShared ? 1 : num_tasks_;
      shapes_[layer + "gate.weight"] = {gates, tokens.num_experts, config_.d_model};
    }
  }

  void add_layer(const std::string& layer, int64_t d_ffn, bool crosses) {
    add_attention(layer + "self_attn");
    if (crosses) add_attention(layer + "encoder_attn");
    add_feed_forward(layer, d_ffn);
    add_norm(layer + "final_layer_norm");
  }

  void add_stack(const std::string& stack, int64_t layers, int64_t d_ffn, bool crosses) {
    shapes_[stack + "embed_positions.weight"] = {config_.max_position_embeddings + kPositionOffset,
                                                 config_.d_model};
    add_norm(stack + "layernorm_embedding");
    for (int64_t l = 0; l < layers; ++l) {
      const std::string layer = stack + "layers." + std::to_string(l) + ".";
      const bool is_pool =
          crosses ? config_.decoder_layer_is_pool(l) : config_.encoder_layer_is_pool(l);
      if (!is_pool) {
        add_layer(layer, d_ffn, crosses);
        continue;
      }
      for (int64_t e = 0; e < config_.routing.num_experts; ++e) {
        add_layer(layer + "experts." + std::to_string(e) + ".", d_ffn, crosses);
      }
    }
  }

  void add_routes() {
    const RoutingConfig& routing = config_.routing;
    if (routing.route_source == RouteSource::kTable) {
      shapes_["route_table.weight"] = {
          num_tasks_, (config_.encoder_layers + config_.decoder_layers) * routing.num_experts};
    } else {
      shapes_["task_vectors.weight"] = {num_tasks_, routing.task_vector_dim};
    }
  }

  const ModelConfig& config_;
  int64_t num_tasks_;
  ShapesByName shapes_;
};

// The tensor whose rows are the tasks; "" where the model has none.
std::string rows_of_tasks(const ModelConfig& config) {
  if (config.token_experts.num_experts > 1) {
    if (config.token_experts.gates == TokenGates::kShared) return "";
    return config.token_experts.gate_embedding_dim > 0 ? "gate_embeddings.weight"
                                                       : "encoder.layers.0.gate.weight";
  }
  if (config.routing.num_experts <= 1) return "";
  const bool is_table = config.routing.route_source == RouteSource::kTable;
  return is_table ? "route_table.weight" : "task_vectors.weight";
}

}  // namespace

ShapesByName model_shapes(const ModelConfig& config, int64_t num_tasks) {
  return ShapeList(config, num_tasks).all();
}

bool only_chooses_routes(const std::string& name) {
  return name.starts_with("router.") || name.starts_with("task_vectors.") ||
         name.starts_with("route_table.");
}

bool has_task_rows(const ModelConfig& config) { return !rows_of_tasks(config).empty(); }

int64_t count_task_rows(const ModelConfig& config, const ShapeOf& shape_of) {
  const std::string name = rows_of_tasks(config);
  if (name.empty()) return 0;
  const std::vector<int64_t> shape = shape_of(name);
  return shape.empty() ? 0 : shape[0];
}

void refuse_other_shapes(const ModelConfig& config, const ShapesByName& found,
                         const std::string& where) {
  const int64_t num_tasks = count_task_rows(config, [&](const std::string& name) {
    const auto place = found.find(name);
    return place == found.end() ? std::vector<int64_t>() : place->second;
  });
  const ShapesByName expected = model_shapes(config, num_tasks);
  for (const auto& [name, shape] : expected) {
    const auto place = found.find(name);
    if (place == found.end()) refuse_tensor(name, "is missing", where);
    if (place->second == shape) continue;
    refuse_tensor(name,
                  "has the shape " + shape_text(place->second) + ", but config.json asks for " +
                      shape_text(shape),
                  where);
  }
  for (const auto& [name, shape] : found) {
    const bool is_router = config.routing.num_experts > 1 && name.starts_with("router.");
    if (expected.contains(name) || is_router) continue;
    refuse_tensor(name, "is unknown: config.json has no place for it", where);
  }
}

void refuse_tensor(const std::string& name, const std::string& problem, const std::string& where) {
  throw Error(ExitCode::kBadModel, where + ": tensor " + quoted_name(name) + " " + problem);
}

void refuse_oversized(const ModelConfig& config, double held, const std::string& where) {
  if (parameter_count(config) > 2 * held + 1e6) {
    throw Error(ExitCode::kBadModel, where + ": config.json asks for " +
                                         std::to_string(int64_t(parameter_count(config))) +
                                         " parameters, but the safetensors hold " +
                                         std::to_string(int64_t(held)));
  }
}

}  // namespace trivium
