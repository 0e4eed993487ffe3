#include "core/analysis/routes_page.h"

#include <cmath>

#include "core/analysis/heat_map.h"
#include "core/analysis/page.h"
#include "core/analysis/page_assets.h"
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

}  // namespace

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
  const std::string body =
      fill_template(kRoutesPageHtml, {{"plays", frames.size() > 1}, {"map", heat_map_svg(last)}});
  return whole_page({title, summary, kRoutesPageCss, kRoutesPageJs, body, page_data(frames)});
}

}  // namespace trivium
