// The fixed parts of the pages: the files of assets/, as the build puts them into the program.
#pragma once

#include <string_view>

namespace trivium {

// Templates in Mustache.
extern const std::string_view kPageHtml;  // what all pages have in common
extern const std::string_view kRoutesPageHtml;
extern const std::string_view kGatesPageHtml;

extern const std::string_view kRoutesPageCss;
extern const std::string_view kGatesPageCss;
extern const std::string_view kHeatMapCss;

// Scripts; they read the JSON of the element "data".
extern const std::string_view kRoutesPageJs;
extern const std::string_view kGatesPageJs;

}  // namespace trivium
