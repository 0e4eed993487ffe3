// Where task routes come from, and what they are for the LibTorch model, people and JSON.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "engine/task_route.h"
#include "model/seq2seq_model.h"

namespace trivium {

// The route that inference gives to row `task` of the model's task vectors, at `temperature` (which
// only softmax selection uses). A dense model has one-expert layers throughout.
TaskRoute route_of_task(Seq2SeqModel& model, int64_t task, double temperature);

// The same for a task that is not among the model's rows, by its vector [task_vector_dim]. Only for
// a model with a router.
TaskRoute route_of_vector(Seq2SeqModel& model, const torch::Tensor& vector, double temperature);

// Every layer's main expert alone, with weight 1: what a soft route costs no more than a dense
// model for.
TaskRoute main_experts_only(const TaskRoute& route);

// The routes of a batch's rows as the model takes them; undefined tensors for a dense model.
RoutingWeights routing_weights(const std::vector<const TaskRoute*>& rows, const ModelConfig& config,
                               torch::Device device);

// {"encoder": [[w...], ...], "decoder": [...]}, weights rounded to 4 digits.
Json to_json(const TaskRoute& route);

}  // namespace trivium
