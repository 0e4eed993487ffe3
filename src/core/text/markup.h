// Text and data from anybody that stand in HTML and SVG without becoming part of the markup.
#pragma once

#include <string>

#include "core/base/json.h"

namespace trivium {

// Text that may stand in HTML and SVG, between tags or in a quoted attribute. What XML forbids
// (control characters, ill-formed UTF-8) becomes U+FFFD.
std::string escape_markup(const std::string& text);

// JSON that may stand in a script element: nothing in it can end the element.
std::string script_json(const Json& json);

}  // namespace trivium
