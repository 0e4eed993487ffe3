// A layer of a route, by its stack and number.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "core/routes/task_route.h"

namespace trivium {

// One layer of a route. People count layers and experts from 1, and so do pins, pictures and texts;
// these numbers are from 0.
struct LayerPlace {
  bool in_decoder = false;
  size_t layer = 0;
  auto operator<=>(const LayerPlace&) const = default;
};

// "encoder 3"
std::string name_of(const LayerPlace& place);

// The weights of a layer.
std::vector<float>& weights_at(TaskRoute& route, const LayerPlace& place);
const std::vector<float>& weights_at(const TaskRoute& route, const LayerPlace& place);

// Whether the task takes an expert of its own there.
bool takes_own(const TaskRoute& route, const LayerPlace& place);

// Every layer, the encoder's first.
std::vector<LayerPlace> places_of(const TaskRoute& route);

}  // namespace trivium
