#include "learning/model/model_routes.h"

#include <algorithm>
#include <functional>

#include "core/base/error.h"
#include "learning/model/selection.h"

namespace trivium::learning {
namespace {

std::vector<std::vector<float>> stack_rows(const torch::Tensor& weights, int64_t layers,
                                           const std::function<bool(int64_t)>& is_pool) {
  std::vector<std::vector<float>> rows;
  for (int64_t l = 0; l < layers; ++l) {
    if (!is_pool(l)) {
      rows.push_back({1.0f});
      continue;
    }
    const torch::Tensor row = weights.select(0, l).contiguous();
    rows.emplace_back(row.data_ptr<float>(), row.data_ptr<float>() + row.numel());
  }
  return rows;
}

// weights: [layers, 1, num_experts]; undefined for a dense model.
TaskRoute route_from_weights(const ModelConfig& config, const torch::Tensor& weights) {
  torch::Tensor encoder, decoder;
  if (weights.defined()) {
    const torch::Tensor rows = weights.to(torch::kCPU, torch::kFloat32).squeeze(1);
    encoder = rows.narrow(0, 0, config.encoder_layers);
    decoder = rows.narrow(0, config.encoder_layers, config.decoder_layers);
  }
  return {stack_rows(encoder, config.encoder_layers,
                     [&](int64_t l) { return config.encoder_layer_is_pool(l); }),
          stack_rows(decoder, config.decoder_layers,
                     [&](int64_t l) { return config.decoder_layer_is_pool(l); }),
          0};
}

torch::Tensor stack_tensor(const std::vector<const TaskRoute*>& rows, int64_t num_experts,
                           std::vector<std::vector<float>> TaskRoute::*stack,
                           torch::Device device) {
  const auto layers = static_cast<int64_t>((rows.at(0)->*stack).size());
  torch::Tensor weights =
      torch::zeros({layers, static_cast<int64_t>(rows.size()), num_experts}, torch::kFloat32);
  auto value = weights.accessor<float, 3>();
  for (size_t b = 0; b < rows.size(); ++b) {
    for (int64_t l = 0; l < layers; ++l) {
      const std::vector<float>& layer = (rows[b]->*stack)[l];
      for (size_t e = 0; e < layer.size(); ++e) value[l][b][e] = layer[e];
    }
  }
  return weights.to(device);
}

bool fits(const std::vector<std::vector<float>>& stack, int64_t layers, int64_t num_experts) {
  return static_cast<int64_t>(stack.size()) == layers &&
         std::all_of(stack.begin(), stack.end(), [&](const std::vector<float>& layer) {
           return static_cast<int64_t>(layer.size()) <= num_experts;
         });
}

}  // namespace

ModelRoutes model_routes(Seq2SeqModel model) {
  check(model->is_routed(), "a dense model has no routes to store");
  torch::NoGradGuard no_grad;
  ModelRoutes routes;
  routes.temperature = model->config().routing.selection_temperature;
  // One task after the other, since a product's last digits depend on how many rows it has.
  for (int64_t task = 0; task < model->num_tasks(); ++task) {
    routes.used.push_back(route_of_task(model, task, routes.temperature));
    if (!model->has_router()) {
      routes.likely.push_back(routes.used.back());
      continue;
    }
    const torch::Tensor id =
        torch::full({1}, task, torch::dtype(torch::kInt64).device(model->shared_weight().device()));
    routes.likely.push_back(
        route_from_weights(model->config(), model->router_logits(id).softmax(-1)));
  }
  return routes;
}

TaskRoute route_of_vector(Seq2SeqModel& model, const torch::Tensor& vector, double temperature) {
  torch::NoGradGuard no_grad;
  check(model->has_router(), "only a router reads task vectors");
  return route_from_weights(model->config(), select_experts_for_inference(
                                                 model->router()->forward(vector.unsqueeze(0)),
                                                 model->config().routing.selection, temperature));
}

TaskRoute route_of_task(Seq2SeqModel& model, int64_t task, double temperature) {
  if (!model->is_routed()) {
    TaskRoute route = route_from_weights(model->config(), {});
    if (model->has_token_gates()) route.gates = task;
    return route;
  }
  torch::NoGradGuard no_grad;
  check(task >= 0 && task < model->num_tasks(), "the task is one of the model's rows");
  const torch::Tensor id =
      torch::full({1}, task, torch::dtype(torch::kInt64).device(model->shared_weight().device()));
  return route_from_weights(model->config(), model->inference_routes(id, temperature));
}

RoutingWeights routing_weights(const std::vector<const TaskRoute*>& rows, const ModelConfig& config,
                               torch::Device device) {
  const int64_t num_experts = config.routing.num_experts;
  if (num_experts == 1) {
    RoutingWeights weights;
    if (config.token_experts.num_experts > 1) {
      std::vector<int64_t> gates;
      for (const TaskRoute* row : rows) gates.push_back(row->gates);
      weights.task_ids = torch::tensor(gates, torch::kInt64).to(device);
    }
    return weights;
  }
  for (const TaskRoute* row : rows) {
    check(fits(row->encoder, config.encoder_layers, num_experts) &&
              fits(row->decoder, config.decoder_layers, num_experts),
          "the route is of another model");
  }
  return {stack_tensor(rows, num_experts, &TaskRoute::encoder, device),
          stack_tensor(rows, num_experts, &TaskRoute::decoder, device),
          {}};
}

}  // namespace trivium::learning
