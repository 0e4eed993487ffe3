// Maps of gates as a self-contained HTML page: the tokens of texts, coloured by the expert that
// they take in a layer for a task.
#pragma once

#include <string>
#include <vector>

#include "core/inference/gate_map.h"

namespace trivium {

// One text as several tasks' gates see it: maps of the same tokens and layers.
struct TextGates {
  std::string label;
  std::vector<GateMap> maps;  // one a task
};

// A page that needs no network: choose a text and two tasks; a row is a layer, a token's colour its
// expert; point at a token for the probability. Without scripts it shows the first text for its
// first task. Error kBadData where there is no text, or maps of a text are of different tokens.
std::string gates_page(const std::string& title, const std::vector<TextGates>& texts);

}  // namespace trivium
