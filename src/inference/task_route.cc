#include "inference/task_route.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"

namespace trivium {
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

Json stack_json(const std::vector<std::vector<float>>& stack) {
  Json rows = Json::array();
  for (const std::vector<float>& layer : stack) {
    Json row = Json::array();
    for (float weight : layer) row.push_back(std::round(weight * 1e4) / 1e4);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

int64_t TaskRoute::main_expert(const std::vector<float>& weights) {
  return std::max_element(weights.begin(), weights.end()) - weights.begin();
}

TaskRoute route_of_task(Seq2SeqModel& model, int64_t task, double temperature) {
  const ModelConfig& config = model->config();
  torch::NoGradGuard no_grad;
  torch::Tensor encoder, decoder;
  if (model->is_routed()) {
    check(task >= 0 && task < model->num_tasks(), "the task has a row of task vectors");
    const torch::Tensor id =
        torch::full({1}, task, torch::dtype(torch::kInt64).device(model->shared_weight().device()));
    const RoutingWeights weights = model->split_stacks(
        model->inference_routes(id, temperature).to(torch::kCPU, torch::kFloat32));
    encoder = weights.encoder.squeeze(1);
    decoder = weights.decoder.squeeze(1);
  }
  return {stack_rows(encoder, config.encoder_layers,
                     [&](int64_t l) { return config.encoder_layer_is_pool(l); }),
          stack_rows(decoder, config.decoder_layers,
                     [&](int64_t l) { return config.decoder_layer_is_pool(l); })};
}

RoutingWeights routing_weights(const std::vector<const TaskRoute*>& rows, const ModelConfig& config,
                               torch::Device device) {
  const int64_t num_experts = config.routing.num_experts;
  if (num_experts == 1) return {};
  for (const TaskRoute* row : rows) {
    check(fits(row->encoder, config.encoder_layers, num_experts) &&
              fits(row->decoder, config.decoder_layers, num_experts),
          "the route is of another model");
  }
  return {stack_tensor(rows, num_experts, &TaskRoute::encoder, device),
          stack_tensor(rows, num_experts, &TaskRoute::decoder, device)};
}

Json to_json(const TaskRoute& route) {
  return {{"encoder", stack_json(route.encoder)}, {"decoder", stack_json(route.decoder)}};
}

}  // namespace trivium
