// Routes that requests ask for in place of their task's own.
#pragma once

#include <vector>

#include "cli/serve/request_keys.h"
#include "core/base/json.h"
#include "core/config/model_config.h"
#include "core/routes/layer_place.h"
#include "core/routes/task_route.h"

namespace trivium::cli {

struct RouteChange {
  enum Kind { kTake, kDisable };
  Kind kind = kTake;
  LayerPlace place;
  size_t expert = 0;  // from 0
};

// What {"encoder": [null, 2], "decoder": [3], "disabled": {"encoder": ...}} asks of a route like
// `route`: an entry for each layer, the expert (counted from 1) that the layer takes alone, or, in
// "disabled", that it does not take. null leaves the layer what it has, and so does 0, which is how
// replies write a layer without a choice. Each list may be missing. ApiError 400 says what the
// model has.
std::vector<RouteChange> route_changes(const TaskRoute& route, const Json& asked);

// `route`, that of a task whose ModelRoutes::likely is `likely`, with these changes; what takes a
// disabled expert's place is as route_without has it. Error kUsage where nothing can.
TaskRoute changed_route(const RoutingConfig& routing, const TaskRoute& likely, TaskRoute route,
                        const std::vector<RouteChange>& changes);

}  // namespace trivium::cli
