#include "cli/serve/asked_route.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace trivium::cli {
namespace {

void ask_layer(std::vector<float>& weights, const Json& asked, const std::string& name) {
  if (asked.is_null() || asked == 0) return;
  const auto expert = json_as<int64_t>(asked);
  if (!expert || *expert < 1 || *expert > static_cast<int64_t>(weights.size())) {
    throw bad_request(name + " takes an expert from 1 to " + std::to_string(weights.size()) +
                      ", or null for the task's own");
  }
  std::fill(weights.begin(), weights.end(), 0.0f);
  weights[static_cast<size_t>(*expert - 1)] = 1;
}

void ask_stack(std::vector<std::vector<float>>& stack, const Json* asked, const std::string& name) {
  if (asked == nullptr) return;
  if (!asked->is_array() || asked->size() != stack.size()) {
    throw bad_request("\"route\": \"" + name + "\" must have an entry for each of its " +
                      std::to_string(stack.size()) + " layers");
  }
  for (size_t layer = 0; layer < stack.size(); ++layer) {
    ask_layer(stack[layer], asked->at(layer),
              "\"route\": " + name + " " + std::to_string(layer + 1));
  }
}

}  // namespace

TaskRoute asked_route(TaskRoute route, const Json& asked) {
  RequestKeys reader(asked, "\"route\"");
  ask_stack(route.encoder, reader.find("encoder"), "encoder");
  ask_stack(route.decoder, reader.find("decoder"), "decoder");
  reader.refuse("weights", {});
  reader.refuse_others();
  return route;
}

}  // namespace trivium::cli
