// The routers that read the layers as a sequence: recurrent ones and a Transformer layer.
#pragma once

#include "learning/model/task_router.h"

namespace trivium::learning {

// config.router: any kind but the two linear ones.
std::shared_ptr<TaskRouterImpl> make_sequence_router(const RoutingConfig& config, int64_t layers);

// weight ~ N(0, std) from the global generator, bias 0.
void init_linear(torch::Tensor weight, torch::Tensor bias, double std);

}  // namespace trivium::learning
