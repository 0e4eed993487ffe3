// A route without one of its experts, from what a checkpoint stores of its routes.
#pragma once

#include "core/config/model_config.h"
#include "core/routes/layer_place.h"
#include "core/routes/task_route.h"

namespace trivium {

// `route` where `expert` (from 0) may not be taken at `place`: what `trivium routes disable` means
// by it (docs/spec/task_level.md, sections 3 and 13). Where a router chooses one expert, the one
// that comes next in `likely`, the task's ModelRoutes::likely, takes its place; otherwise its
// weight goes to the others in proportion to theirs, in equal parts where they have none. Error
// kUsage where the layer does not take the expert, or no other is likely at all.
TaskRoute route_without(const RoutingConfig& routing, const TaskRoute& likely, TaskRoute route,
                        const LayerPlace& place, size_t expert);

}  // namespace trivium
