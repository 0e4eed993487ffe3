// A routed model bound to one route, as an ordinary dense model (docs/spec/task_level.md, section
// 11).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/checkpoint.h"

namespace trivium {

// Of the tensors `names` of a routed model, those that a dense model along `route` has: each one's
// name there, and what it is called in the routed model. Of every pool the route's main expert is
// left; along a one-hot route the dense model computes what the routed one does.
std::map<std::string, std::string> squeezed_names(const std::vector<std::string>& names,
                                                  const TaskRoute& route);

// Makes `task` the only one that the checkpoint knows, whatever a prompt's words.
void know_only(CheckpointInfo& info, const TaskEntry& task);

}  // namespace trivium
