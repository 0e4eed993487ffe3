#include "learning/adaptation/start.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/evaluation/task_choice.h"
#include "learning/model/model_routes.h"
#include "learning/reference/fixed_route.h"

namespace trivium::learning {
namespace {

constexpr std::array<std::pair<StartKind, const char*>, 6> kNames = {
    {{StartKind::kDense, "dense"},
     {StartKind::kRouted, "routed"},
     {StartKind::kAveraged, "averaged"},
     {StartKind::kRandom, "random"},
     {StartKind::kSqueezed, "squeezed"},
     {StartKind::kFrozen, "frozen"}}};

TaskRoute make_route(const ModelConfig& config,
                     const std::function<std::vector<float>()>& pool_weights) {
  TaskRoute route;
  for (int64_t l = 0; l < config.encoder_layers; ++l) {
    route.encoder.push_back(config.encoder_layer_is_pool(l) ? pool_weights()
                                                            : std::vector<float>{1.0f});
  }
  for (int64_t l = 0; l < config.decoder_layers; ++l) {
    route.decoder.push_back(config.decoder_layer_is_pool(l) ? pool_weights()
                                                            : std::vector<float>{1.0f});
  }
  return route;
}

// The task's route and whose it is.
std::pair<TaskRoute, std::string> route_of(const Checkpoint& checkpoint, const FewShotTask& task,
                                           const torch::Tensor& vector) {
  Seq2SeqModel model = checkpoint.model;
  model->eval();
  const double temperature = checkpoint.config().routing.selection_temperature;
  if (vector.defined()) {
    if (!model->has_router() || vector.size(0) != checkpoint.config().routing.task_vector_dim) {
      throw Error(ExitCode::kUsage, "the checkpoint has no router for task vectors of length " +
                                        std::to_string(vector.size(0)));
    }
    return {route_of_vector(model, vector, temperature), "vector"};
  }
  const RouteChoice choice =
      choose_route(checkpoint.tasks, checkpoint.finder, task.task.name, task.test.train_inputs);
  if (choice.row < 0) {
    throw Error(ExitCode::kMissingInput,
                "the checkpoint knows no task whose route " + task.task.name + " could take");
  }
  return {route_of_task(model, choice.row, temperature), choice.source};
}

}  // namespace

StartKind start_kind(const std::string& name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  std::string names;
  for (const std::string& known : start_names()) names += (names.empty() ? "" : ", ") + known;
  throw Error(ExitCode::kUsage, "there is no start \"" + name + "\"; choose one of " + names);
}

const char* name_of(StartKind kind) { return kNames.at(static_cast<size_t>(kind)).second; }

std::vector<std::string> start_names() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kNames) names.emplace_back(name);
  return names;
}

TaskRoute average_route(const ModelConfig& config) {
  const auto experts = static_cast<size_t>(config.routing.num_experts);
  return make_route(
      config, [&] { return std::vector<float>(experts, 1.0f / static_cast<float>(experts)); });
}

TaskRoute random_route(const ModelConfig& config, uint64_t seed, int64_t count) {
  const auto experts = static_cast<size_t>(config.routing.num_experts);
  const auto chosen = static_cast<size_t>(count);
  check(chosen >= 1 && chosen <= experts, "as many experts as there are");
  Rng rng(seed);
  return make_route(config, [&] {
    std::vector<float> weights(experts);
    std::fill_n(weights.begin(), chosen, 1.0f / static_cast<float>(chosen));
    rng.shuffle(weights);
    return weights;
  });
}

Start make_start(const Checkpoint& checkpoint, StartKind kind, const FewShotTask& task,
                 uint64_t seed, const torch::Tensor& vector) {
  const bool routed = checkpoint.model->is_routed();
  if (kind != StartKind::kFrozen && routed == (kind == StartKind::kDense)) {
    throw Error(ExitCode::kUsage, std::string("the start \"") + name_of(kind) + "\" is not for a " +
                                      (routed ? "routed" : "dense") + " checkpoint");
  }
  Start start{checkpoint, "none"};
  if (kind == StartKind::kAveraged) {
    start = {with_fixed_route(checkpoint, average_route(checkpoint.config())), "average"};
  } else if (kind == StartKind::kRandom) {
    const uint64_t own_seed = seed ^ fnv1a(task.task.name);  // every task its own route
    start = {with_fixed_route(checkpoint, random_route(checkpoint.config(), own_seed)), "random"};
  } else if (routed) {
    auto [route, source] = route_of(checkpoint, task, vector);
    const bool dense = kind == StartKind::kSqueezed || kind == StartKind::kFrozen;
    start = {
        dense ? squeeze(checkpoint, route) : with_fixed_route(checkpoint, main_experts_only(route)),
        std::move(source)};
  }
  know_only(start.checkpoint, task.entry);
  return start;
}

}  // namespace trivium::learning
