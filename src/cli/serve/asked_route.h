// Routes that requests ask for in place of their task's own.
#pragma once

#include "cli/serve/request_keys.h"
#include "core/base/json.h"
#include "core/routes/task_route.h"

namespace trivium::cli {

// What {"encoder": [null, 2], "decoder": [3]} makes of `route`: an entry for each layer, the expert
// (counted from 1) that the layer takes alone; null leaves it what it has, and so does 0, which is
// how replies write a layer without a choice. Either list may be missing. ApiError 400 says what
// the model has.
TaskRoute asked_route(TaskRoute route, const Json& asked);

}  // namespace trivium::cli
