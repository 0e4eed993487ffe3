#include "learning/model/task_router.h"

#include "learning/model/sequence_router.h"

namespace trivium::learning {
namespace {

// Linear(P -> hidden), exact GELU, Linear(hidden -> outputs).
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(const RoutingConfig& config, int64_t outputs)
      : hidden_(
            register_module("hidden", Linear(config.task_vector_dim, config.router_hidden_dim))),
        out_(register_module("out", Linear(config.router_hidden_dim, outputs))) {}

  // [batch, task_vector_dim] -> [batch, outputs]
  torch::Tensor forward(const torch::Tensor& task_vectors) {
    return out_(torch::gelu(hidden_(task_vectors)));
  }

  void init_weights(double std) {
    init_linear(hidden_->weight, hidden_->bias, std);
    init_linear(out_->weight, out_->bias, std);
  }

 private:
  Linear hidden_, out_;
};

// "linear_layer_specific": one MLP a layer.
class LayerSpecificMlpRouter : public TaskRouterImpl {
 public:
  LayerSpecificMlpRouter(const RoutingConfig& config, int64_t layers) {
    for (int64_t l = 0; l < layers; ++l) {
      layers_.push_back(register_module("layer_" + std::to_string(l),
                                        std::make_shared<MlpImpl>(config, config.num_experts)));
    }
  }

  torch::Tensor forward(const torch::Tensor& task_vectors) override {
    std::vector<torch::Tensor> logits;
    for (const auto& layer : layers_) logits.push_back(layer->forward(task_vectors));
    return torch::stack(logits);
  }

  void init_weights(double std) override {
    for (const auto& layer : layers_) layer->init_weights(std);
  }

 private:
  std::vector<std::shared_ptr<MlpImpl>> layers_;
};

// "linear": one MLP whose output holds the layers' logits one after another.
class MlpRouter : public TaskRouterImpl {
 public:
  MlpRouter(const RoutingConfig& config, int64_t layers)
      : num_layers_(layers),
        num_experts_(config.num_experts),
        mlp_(register_module("mlp",
                             std::make_shared<MlpImpl>(config, layers * config.num_experts))) {}

  torch::Tensor forward(const torch::Tensor& task_vectors) override {
    return mlp_->forward(task_vectors).view({-1, num_layers_, num_experts_}).transpose(0, 1);
  }

  void init_weights(double std) override { mlp_->init_weights(std); }

 private:
  int64_t num_layers_, num_experts_;
  std::shared_ptr<MlpImpl> mlp_;
};

}  // namespace

std::shared_ptr<TaskRouterImpl> make_router(const RoutingConfig& config, int64_t layers) {
  switch (config.router) {
    case RouterKind::kLinear:
      return std::make_shared<MlpRouter>(config, layers);
    case RouterKind::kLinearLayerSpecific:
      return std::make_shared<LayerSpecificMlpRouter>(config, layers);
    default:
      return make_sequence_router(config, layers);
  }
}

}  // namespace trivium::learning
