// Maps of gates drawn with letters: a line is a token, a column a layer.
#pragma once

#include <string>

#include "cli/terminal/terminal_text.h"
#include "core/inference/gate_map.h"

namespace trivium::cli {

// Each token with the number of the expert that every layer's gate gives it, from 1; one stack
// below the other. Stacks that are too deep for the style's width are continued below.
std::string gate_picture(const GateMap& map, const TerminalStyle& style);

}  // namespace trivium::cli
