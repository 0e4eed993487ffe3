// The page at "/": the model to try out in a browser, from this server alone.
#pragma once

#include <httplib.h>

#include <string>

namespace trivium::cli {

// What the paths of the page and of its files match.
constexpr const char* kPagePattern = "/(?:page/[a-z_]+\\.[a-z]+)?";

// Whether a path is the page's or one of its files. They hold nothing of the model, so that they
// need no key: the page itself asks for it.
bool is_page_path(const std::string& path);

// Replies with what lies at such a path. ApiError 404 where there is no such file.
void reply_page(const std::string& path, httplib::Response& response);

}  // namespace trivium::cli
