// Routers: from a task's vector to logits over the experts of every layer.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "config/model_config.h"
#include "model/layers.h"

namespace trivium {

// The interface of all routers (task_level_moe.md, section 2).
class TaskRouterImpl : public torch::nn::Module {
 public:
  // task_vectors: [batch, task_vector_dim] -> logits [encoder_layers + decoder_layers, batch,
  // num_experts]; the first encoder_layers rows are the encoder's.
  virtual torch::Tensor forward(const torch::Tensor& task_vectors) = 0;
  virtual void init_weights(double std) = 0;
};

// "linear_layer_specific": one MLP a layer, Linear(P -> hidden), exact GELU, Linear(hidden -> E).
class LayerSpecificMlpRouterImpl : public TaskRouterImpl {
 public:
  LayerSpecificMlpRouterImpl(const RoutingConfig& config, int64_t layers);
  torch::Tensor forward(const torch::Tensor& task_vectors) override;
  void init_weights(double std) override;

 private:
  std::vector<Linear> hidden_, out_;
};

std::shared_ptr<TaskRouterImpl> make_router(const RoutingConfig& config, int64_t layers);

}  // namespace trivium
