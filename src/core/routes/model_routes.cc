#include "core/routes/model_routes.h"

#include <cmath>
#include <functional>

#include "core/base/error.h"

namespace trivium {
namespace {

Json exact(const TaskRoute& route) {
  return {{"encoder", route.encoder}, {"decoder", route.decoder}};
}

[[noreturn]] void refuse(const std::string& where, const std::string& problem) {
  throw Error(ExitCode::kBadModel, where + ": " + problem);
}

bool is_distribution(const std::vector<float>& weights) {
  double sum = 0;
  for (const float weight : weights) {
    if (!(weight >= 0 && weight <= 1)) return false;
    sum += weight;
  }
  return std::abs(sum - 1) < 1e-3;
}

std::vector<std::vector<float>> stack_from_json(const Json& json, const char* key, int64_t layers,
                                                int64_t num_experts,
                                                const std::function<bool(int64_t)>& is_pool,
                                                const std::string& where) {
  std::vector<std::vector<float>> stack;
  try {
    stack = json_get<std::vector<std::vector<float>>>(json, key, where);
  } catch (const Error& error) {
    throw Error(ExitCode::kBadModel, error.what());
  }
  if (static_cast<int64_t>(stack.size()) != layers) {
    refuse(where, "\"" + std::string(key) + "\" is not of " + std::to_string(layers) + " layers");
  }
  for (int64_t l = 0; l < layers; ++l) {
    const std::vector<float>& weights = stack[static_cast<size_t>(l)];
    const int64_t experts = is_pool(l) ? num_experts : 1;
    if (static_cast<int64_t>(weights.size()) != experts || !is_distribution(weights)) {
      refuse(where, "layer " + std::to_string(l + 1) + " of \"" + key + "\" is not of " +
                        std::to_string(experts) + " weights that add up to 1");
    }
  }
  return stack;
}

TaskRoute route_from_json(const Json& task, const char* key, const ModelConfig& config,
                          const std::string& where) {
  if (!task.is_object() || !task.contains(key)) {
    refuse(where, "a task without the key \"" + std::string(key) + "\"");
  }
  const Json& json = task.at(key);
  const int64_t experts = config.routing.num_experts;
  TaskRoute route;
  route.encoder = stack_from_json(
      json, "encoder", config.encoder_layers, experts,
      [&](int64_t l) { return config.encoder_layer_is_pool(l); }, where);
  route.decoder = stack_from_json(
      json, "decoder", config.decoder_layers, experts,
      [&](int64_t l) { return config.decoder_layer_is_pool(l); }, where);
  return route;
}

}  // namespace

Json to_json(const ModelRoutes& routes) {
  Json tasks = Json::array();
  for (size_t row = 0; row < routes.used.size(); ++row) {
    tasks.push_back({{"likely", exact(routes.likely[row])}, {"used", exact(routes.used[row])}});
  }
  return {{"temperature", routes.temperature}, {"tasks", std::move(tasks)}};
}

ModelRoutes model_routes_from_json(const Json& json, const ModelConfig& config,
                                   const std::string& where) {
  ModelRoutes routes;
  if (!json.is_object() || !json.contains("tasks") || !json.at("tasks").is_array() ||
      json.at("tasks").empty() || !json.contains("temperature") ||
      !json.at("temperature").is_number()) {
    refuse(where, "keys \"temperature\", a number, and \"tasks\", a list, are needed");
  }
  routes.temperature = json.at("temperature").get<double>();
  for (const Json& task : json.at("tasks")) {
    const std::string place = where + ", task " + std::to_string(routes.used.size() + 1);
    routes.likely.push_back(route_from_json(task, "likely", config, place));
    routes.used.push_back(route_from_json(task, "used", config, place));
  }
  return routes;
}

}  // namespace trivium
