// Routers: from a task's vector to logits over the experts of every layer.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "core/config/model_config.h"
#include "learning/model/layers.h"

namespace trivium::learning {

// The interface of all routers (docs/spec/task_level.md, section 2).
class TaskRouterImpl : public torch::nn::Module {
 public:
  // task_vectors: [batch, task_vector_dim] -> logits [encoder_layers + decoder_layers, batch,
  // num_experts]; the first encoder_layers rows are the encoder's.
  virtual torch::Tensor forward(const torch::Tensor& task_vectors) = 0;

  // Linears and embeddings ~ N(0, std) with biases 0; recurrent weights and the input projection of
  // attention as LibTorch has them, U(+-1 / sqrt(hidden)) and Xavier. Draws from the global
  // generator.
  virtual void init_weights(double std) = 0;
};

// A router of `config`'s kind for `layers` layers, the encoder's and the decoder's together. Call
// init_weights or load its parameters.
std::shared_ptr<TaskRouterImpl> make_router(const RoutingConfig& config, int64_t layers);

}  // namespace trivium::learning
