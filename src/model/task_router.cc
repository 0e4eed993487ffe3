#include "model/task_router.h"

#include "base/error.h"

namespace trivium {

LayerSpecificMlpRouterImpl::LayerSpecificMlpRouterImpl(const RoutingConfig& config,
                                                       int64_t layers) {
  for (int64_t l = 0; l < layers; ++l) {
    auto layer =
        register_module("layer_" + std::to_string(l), std::make_shared<torch::nn::Module>());
    hidden_.push_back(
        layer->register_module("hidden", Linear(config.task_vector_dim, config.router_hidden_dim)));
    out_.push_back(
        layer->register_module("out", Linear(config.router_hidden_dim, config.num_experts)));
  }
}

torch::Tensor LayerSpecificMlpRouterImpl::forward(const torch::Tensor& task_vectors) {
  std::vector<torch::Tensor> logits;
  for (size_t l = 0; l < hidden_.size(); ++l) {
    logits.push_back(out_[l](torch::gelu(hidden_[l](task_vectors))));
  }
  return torch::stack(logits);
}

void LayerSpecificMlpRouterImpl::init_weights(double std) {
  torch::NoGradGuard no_grad;
  for (size_t l = 0; l < hidden_.size(); ++l) {
    for (Linear& linear : {std::ref(hidden_[l]), std::ref(out_[l])}) {
      linear->weight.normal_(0, std);
      linear->bias.zero_();
    }
  }
}

std::shared_ptr<TaskRouterImpl> make_router(const RoutingConfig& config, int64_t layers) {
  switch (config.router) {
    case RouterKind::kLinearLayerSpecific:
      return std::make_shared<LayerSpecificMlpRouterImpl>(config, layers);
  }
  throw std::logic_error("unknown router kind");
}

}  // namespace trivium
