// The fixed parts of the routes page.
#pragma once

namespace trivium {

extern const char* const kRoutesPageStyle;   // CSS
extern const char* const kRoutesPageScript;  // JavaScript; reads the JSON of element "data"

}  // namespace trivium
