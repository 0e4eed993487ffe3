// The page at "/": the model to try out in a browser, from this server alone.
#pragma once

#include <httplib.h>

#include <functional>
#include <string>

namespace trivium::cli {

// Whether a path is the page's or one of its files. They hold nothing of the model, so that they
// need no key: the page itself asks for it.
bool is_page_path(const std::string& path);

using PageHandler = std::function<void(const httplib::Request&, httplib::Response&)>;

// Adds the page to a server. `guarded` wraps the handler of a path into the server's own checks.
void add_page(httplib::Server& http,
              const std::function<PageHandler(const std::string& path, PageHandler)>& guarded);

}  // namespace trivium::cli
