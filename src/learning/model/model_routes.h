// A LibTorch model's routes as plain numbers, and plain routes as the model takes them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/routes/model_routes.h"
#include "core/routes/task_route.h"
#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

// The routes of all tasks of a model with pools, at its configuration's temperature: what a
// checkpoint stores. A model with a table of routes has no logits: there `likely` is what is used.
ModelRoutes model_routes(Seq2SeqModel model);

// The route that inference gives to row `task` of the model's task vectors, at `temperature` (which
// only softmax selection uses). A dense model has one-expert layers throughout.
TaskRoute route_of_task(Seq2SeqModel& model, int64_t task, double temperature);

// The same for a task that is not among the model's rows, by its vector [task_vector_dim]. Only for
// a model with a router.
TaskRoute route_of_vector(Seq2SeqModel& model, const torch::Tensor& vector, double temperature);

// The routes of a batch's rows as the model takes them; undefined tensors for a dense model.
RoutingWeights routing_weights(const std::vector<const TaskRoute*>& rows, const ModelConfig& config,
                               torch::Device device);

}  // namespace trivium::learning
