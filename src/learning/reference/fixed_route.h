// A routed checkpoint bound to one route, with which an unseen task starts
// (docs/spec/task_level.md, section 11).
#pragma once

#include "core/routes/task_route.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {

// An ordinary dense checkpoint: the shared parts and, of each pool, the route's main expert. Along
// a one-hot route it computes what `routed` does. Copies the weights; knows no tasks.
Checkpoint squeeze(const Checkpoint& routed, const TaskRoute& route);

// `routed` with the one constant route instead of its router or table: every expert stays. Copies
// the weights; knows no tasks.
Checkpoint with_fixed_route(const Checkpoint& routed, const TaskRoute& route);

// Makes the task the only one that `bound` knows, whatever a prompt's words.
void know_only(Checkpoint& bound, const TaskEntry& task);

}  // namespace trivium::learning
