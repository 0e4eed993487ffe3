#include "core/analysis/routes_page.h"

#include <cmath>

#include "core/analysis/heat_map.h"
#include "core/analysis/routes_page_assets.h"
#include "core/base/error.h"
#include "core/base/json.h"

namespace trivium {
namespace {

bool same_shape(const RouteDump& a, const RouteDump& b) {
  if (a.places != b.places || a.num_experts != b.num_experts || a.tasks.size() != b.tasks.size()) {
    return false;
  }
  for (size_t i = 0; i < a.tasks.size(); ++i) {
    if (a.tasks[i].task != b.tasks[i].task || a.tasks[i].family != b.tasks[i].family) return false;
  }
  return true;
}

// Weights in ten thousandths: short, and exact to what the page shows.
Json ten_thousandths(const std::vector<float>& row) {
  Json list = Json::array();
  for (float weight : row) list.push_back(std::lround(weight * 1e4f));
  return list;
}

Json page_data(const std::vector<RouteFrame>& frames) {
  const RouteDump& last = frames.back().routes;
  Json data{{"experts", last.num_experts}};
  for (const LayerPlace& place : last.places) data["places"].push_back(name_of(place));
  for (const RouteRow& row : last.tasks) {
    data["tasks"].push_back({{"name", row.task}, {"family", row.family}});
  }
  for (const RouteFrame& frame : frames) {
    Json item{{"label", frame.label}, {"temperature", frame.routes.temperature}};
    for (const RouteRow& row : frame.routes.tasks) {
      item["likely"].push_back(ten_thousandths(row.likely));
      item["used"].push_back(ten_thousandths(row.used));
    }
    data["frames"].push_back(std::move(item));
  }
  return data;
}

std::string counted(size_t count, const char* noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

constexpr const char* kToolbar = R"html(<form class="tools" aria-label="View">
  <label>Sort by <select id="sort"><option value="family">family</option>
    <option value="name">name</option><option value="near">similarity to A</option></select></label>
  <label>Show <select id="kind"><option value="likely">weights at temperature 1</option>
    <option value="used">weights as used</option></select></label>
</form>
)html";

constexpr const char* kPlayer = R"html(<div class="player" role="group" aria-label="Training">
  <button type="button" id="play" aria-pressed="false">Play</button>
  <input type="range" id="frame" min="0" value="0" step="1" aria-label="Moment of the training">
  <output id="moment" for="frame"></output>
</div>
)html";

constexpr const char* kPanel = R"html(<aside aria-label="Weights of tasks">
  <label>A <select id="a"></select></label>
  <label>B <select id="b"></select></label>
  <p id="distance" aria-live="polite"></p>
  <table><thead><tr><th scope="col">expert</th><th scope="col">A</th><th scope="col" id="head-b">B</th></tr></thead>
    <tbody id="weights"></tbody></table>
</aside>
)html";

}  // namespace

std::string script_json(const Json& json) {
  std::string text;
  for (const char c : to_json_line(json)) {
    if (c == '<') {
      text += "\\u003c";
    } else if (c == '>') {
      text += "\\u003e";
    } else if (c == '&') {
      text += "\\u0026";
    } else {
      text += c;
    }
  }
  return text;
}

std::string routes_page(const std::string& title, const std::vector<RouteFrame>& frames) {
  check(!frames.empty(), "a page shows one moment at least");
  const RouteDump& last = frames.back().routes;
  for (const RouteFrame& frame : frames) {
    if (same_shape(frame.routes, last)) continue;
    throw Error(ExitCode::kBadData, frame.label + " has other tasks, layers or experts than " +
                                        frames.back().label + "; name moments of one run");
  }
  const std::string summary = counted(last.tasks.size(), "task") + ", " +
                              counted(last.places.size(), "routed layer") + " of " +
                              counted(last.num_experts, "expert") + ". A row is a task, a column " +
                              "an expert; point at a row, or walk with the arrow keys, for its " +
                              "exact weights; click to keep it as A.";
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
         escape_markup(title) + "</title>\n<style>\n" + kRoutesPageStyle +
         "</style>\n</head>\n<body>\n<header><h1>" + escape_markup(title) + "</h1>\n<p>" + summary +
         "</p></header>\n" + kToolbar + (frames.size() > 1 ? kPlayer : "") +
         "<noscript><p>Without JavaScript this page is a still picture; point at a cell for its "
         "weight.</p></noscript>\n<main>\n<div class=\"map\">\n" +
         heat_map_svg(last) + "</div>\n" + kPanel +
         "</main>\n<script type=\"application/json\" id=\"data\">" +
         script_json(page_data(frames)) + "</script>\n<script>\n" + kRoutesPageScript +
         "</script>\n</body>\n</html>\n";
}

}  // namespace trivium
