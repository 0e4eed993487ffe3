// The interface's description: assets/openapi.json, as the build puts it into the program.
#pragma once

#include <string_view>

namespace trivium {

extern const std::string_view kOpenapiJson;

}  // namespace trivium
