// A dense model becomes a routed one: every expert starts as its layer (docs/spec/task_level.md,
// section 1.7).
#pragma once

#include <cstdint>

#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// What a dense model gets: experts, a router and task vectors.
struct ExpertOptions {
  RoutingConfig routing;
  TokenExpertConfig token_experts;
  int64_t num_tasks = 1;       // rows of task vectors, or of token gates
  double expert_noise = 1e-8;  // N(0, 1) times this is added to every weight of every expert
  double router_std = 0;       // of the new router's weights; 0: the model's init_std
  uint64_t seed = 42;          // of the noise, the router and the task vectors
};

// A constant table of routes as the model holds it, [num_tasks, layers * num_experts], from weights
// [layers, num_tasks, num_experts].
torch::Tensor route_table(const torch::Tensor& weights);

// `dense` with every layer that is a pool in `config` copied to its experts, and a new router with
// task vectors ~ N(0, 1); a model whose routes are a table gets one of averages (1 / num_experts)
// instead. `config` has options.routing and options.token_experts; with feed-forward experts, each
// layer's fc1 and fc2 are copied instead, and the layers get new gates (docs/spec/mt_tag.md,
// section 2). With one expert: `dense` itself.
NamedTensors add_experts(NamedTensors dense, const ModelConfig& config,
                         const ExpertOptions& options);

// The same for a checkpoint. Error kConfig when it is routed already.
Checkpoint make_routed(const Checkpoint& dense, const ExpertOptions& options);

// A copy of a routed checkpoint whose tasks take the constant routes `weights`, [layers, num_tasks,
// num_experts]; its router and task vectors, where it had any, are left out. `tasks` are the
// table's rows in order, or empty.
Checkpoint with_constant_routes(const Checkpoint& routed, const torch::Tensor& weights,
                                const TaskCatalog& tasks);

}  // namespace trivium::learning
