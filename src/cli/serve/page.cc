#include "cli/serve/page.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/serve/api_error.h"
#include "cli/serve/page_assets.h"

namespace trivium::cli {
namespace {

constexpr const char* kScript = "text/javascript; charset=utf-8";

struct PageFile {
  const char* path;
  const char* type;
  const std::string_view* text;
};

const std::array<PageFile, 9> kFiles = {{
    {"/", "text/html; charset=utf-8", &kServePageHtml},
    {"/page/page.css", "text/css; charset=utf-8", &kServePageCss},
    {"/page/page.js", kScript, &kServePageJs},
    {"/page/api.js", kScript, &kServeApiJs},
    {"/page/heat_map.js", kScript, &kServeHeatMapJs},
    {"/page/lane.js", kScript, &kServeLaneJs},
    {"/page/picture.js", kScript, &kServePictureJs},
    {"/page/route.js", kScript, &kServeRouteJs},
    {"/page/shares.js", kScript, &kServeSharesJs},
}};

// The page takes everything from its own server, is shown in no other page, and tells no other
// where somebody came from. A new version of the program is a new page at once.
void set_headers(httplib::Response& response) {
  response.set_header(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
      "img-src 'self' data:; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'");
  response.set_header("X-Content-Type-Options", "nosniff");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("Cache-Control", "no-cache");
}

const PageFile* find_file(const std::string& path) {
  const auto found = std::find_if(kFiles.begin(), kFiles.end(),
                                  [&](const PageFile& file) { return path == file.path; });
  return found == kFiles.end() ? nullptr : &*found;
}

}  // namespace

bool is_page_path(const std::string& path) { return find_file(path) != nullptr; }

void reply_page(const std::string& path, httplib::Response& response) {
  const PageFile* file = find_file(path);
  if (file == nullptr) throw ApiError(404, "not_found_error", "there is no " + path);
  set_headers(response);
  response.set_content(file->text->data(), file->text->size(), file->type);
}

}  // namespace trivium::cli
