// The page of trivium serve, built into the program from the files in assets/ beside this one.
#pragma once

#include <string_view>

namespace trivium {

extern const std::string_view kServePageHtml;
extern const std::string_view kServePageCss;
extern const std::string_view kServePageJs;
extern const std::string_view kServeApiJs;
extern const std::string_view kServeHeatMapJs;
extern const std::string_view kServeLaneJs;
extern const std::string_view kServePictureJs;
extern const std::string_view kServeRouteJs;
extern const std::string_view kServeSharesJs;

}  // namespace trivium
