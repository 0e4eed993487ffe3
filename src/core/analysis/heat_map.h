// Routes as a picture: a row a task, a column an expert of a layer.
#pragma once

#include <string>

#include "core/routes/route_dump.h"

namespace trivium {

// A heat map of the weights at temperature 1 (the deeper, the nearer to 1), by family, with a gap
// between layers and a dot at the expert that the task uses most. Whole SVG, light and dark, in a
// file of its own or inside a page. Rows and cells carry data- attributes for the page's script.
std::string heat_map_svg(const RouteDump& dump);

}  // namespace trivium
