#include "core/checkpoint/squeeze.h"

#include <cstdint>
#include <string_view>

#include "core/checkpoint/model_shapes.h"

namespace trivium {
namespace {

// "encoder.layers.3" -> the layer's main expert.
std::map<std::string, int64_t> main_experts(const TaskRoute& route) {
  std::map<std::string, int64_t> chosen;
  const auto add = [&](const std::string& stack, const std::vector<std::vector<float>>& layers) {
    for (size_t l = 0; l < layers.size(); ++l) {
      chosen[stack + std::to_string(l)] = TaskRoute::main_expert(layers[l]);
    }
  };
  add("encoder.layers.", route.encoder);
  add("decoder.layers.", route.decoder);
  return chosen;
}

}  // namespace

std::map<std::string, std::string> squeezed_names(const std::vector<std::string>& names,
                                                  const TaskRoute& route) {
  constexpr std::string_view kExperts = ".experts.";
  const std::map<std::string, int64_t> chosen = main_experts(route);
  std::map<std::string, std::string> squeezed;
  for (const std::string& name : names) {
    if (only_chooses_routes(name)) continue;
    const size_t at = name.find(kExperts);
    if (at == std::string::npos) {
      squeezed[name] = name;
      continue;
    }
    const size_t number = at + kExperts.size();
    const size_t rest = name.find('.', number);
    const std::string layer = name.substr(0, at);
    if (std::stoll(name.substr(number, rest - number)) == chosen.at(layer)) {
      squeezed[layer + name.substr(rest)] = name;
    }
  }
  return squeezed;
}

void know_only(CheckpointInfo& info, const TaskEntry& task) {
  info.tasks = {};
  info.tasks.add(task);
  info.finder = TaskFinder::train({{task.task.name, {}}});
}

}  // namespace trivium
