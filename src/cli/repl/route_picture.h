// Routes drawn with letters and blocks: a column is a layer, a row an expert.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/terminal/terminal_text.h"
#include "core/routes/layer_place.h"
#include "core/routes/task_route.h"

namespace trivium::cli {

// A layer whose expert the user chose, whatever the task's route says.
struct Pin {
  LayerPlace place;
  size_t expert = 0;
};

// The experts of a layer that is a pool; 1 for a dense model, whose route has no picture.
size_t num_experts(const TaskRoute& route);

// The layers in which two routes of one model take different experts, by their largest weights.
std::vector<LayerPlace> differing_layers(const TaskRoute& a, const TaskRoute& b);

// `route` with the weight 1 at every pin's expert.
TaskRoute pinned_route(TaskRoute route, const std::vector<Pin>& pins);

// The picture of a route, some lines of at most the style's width (40 at least). Stacks that do not
// fit side by side stand one below the other. Pinned layers are marked.
std::string route_picture(const TaskRoute& route, const std::vector<Pin>& pins,
                          const TerminalStyle& style);

// What the signs of a picture mean, one line or a few.
std::string route_legend(const TaskRoute& route, const TerminalStyle& style);

// Every weight in words, wrapped: "encoder: layer 1 takes expert 3 (0.92) and 1 (0.08); …".
std::string route_in_words(const TaskRoute& route, const TerminalStyle& style);

// Two tasks' routes, one above the other with their layers in the same columns, and the layers in
// which they differ marked and named.
std::string route_comparison(const std::string& name_a, const TaskRoute& a,
                             const std::string& name_b, const TaskRoute& b,
                             const TerminalStyle& style);

}  // namespace trivium::cli
