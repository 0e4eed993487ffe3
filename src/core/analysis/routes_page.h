// Routes as a page to explore: one file that needs nothing else, not even a network.
#pragma once

#include <string>
#include <vector>

#include "core/routes/route_dump.h"

namespace trivium {

// The routes at one moment of training.
struct RouteFrame {
  std::string label;  // "step 500", or a checkpoint's name
  RouteDump routes;
};

// HTML with the heat map of the last frame; its script shows exact weights, sorts, compares two
// tasks, and plays the frames where there are several. The frames have the same tasks and layers
// (Error kBadData names the first that has not). Names are escaped: they may be anybody's.
std::string routes_page(const std::string& title, const std::vector<RouteFrame>& frames);

}  // namespace trivium
