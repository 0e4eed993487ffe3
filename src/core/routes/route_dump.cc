#include "core/routes/route_dump.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <tuple>

#include "core/base/error.h"

namespace trivium {
namespace {

// Untrusted files may say anything; no model comes near these.
constexpr size_t kMostPlaces = 1024, kMostExperts = 1024;

std::vector<LayerPlace> pools_of(const ModelConfig& config) {
  std::vector<LayerPlace> places;
  for (int64_t l = 0; l < config.encoder_layers; ++l) {
    if (config.encoder_layer_is_pool(l)) places.push_back({false, static_cast<size_t>(l)});
  }
  for (int64_t l = 0; l < config.decoder_layers; ++l) {
    if (config.decoder_layer_is_pool(l)) places.push_back({true, static_cast<size_t>(l)});
  }
  return places;
}

// A task's weights at `places`.
std::vector<float> row_of(const TaskRoute& route, const std::vector<LayerPlace>& places) {
  std::vector<float> row;
  for (const LayerPlace& place : places) {
    const std::vector<float>& weights = weights_at(route, place);
    row.insert(row.end(), weights.begin(), weights.end());
  }
  return row;
}

Json rounded(const std::vector<float>& row, size_t num_experts) {
  Json places = Json::array();
  for (size_t begin = 0; begin < row.size(); begin += num_experts) {
    Json place = Json::array();
    for (size_t e = 0; e < num_experts; ++e)
      place.push_back(std::round(row[begin + e] * 1e4) / 1e4);
    places.push_back(std::move(place));
  }
  return places;
}

LayerPlace place_from_name(const std::string& name, const std::string& where) {
  const bool in_decoder = name.starts_with("decoder ");
  size_t number = 0;
  const std::string_view digits = std::string_view(name).substr(std::min<size_t>(8, name.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const LayerPlace place{in_decoder, number - 1};
  if (number >= 1 && number <= kMostPlaces && name_of(place) == name) return place;
  throw Error(ExitCode::kBadData,
              where + ": \"" + name.substr(0, 40) + "\" is no layer; \"encoder 4\" would be one");
}

std::vector<float> row_from_json(const Json& json, const char* key, const RouteDump& dump,
                                 const std::string& where) {
  std::vector<float> row;
  for (const auto& place : json_get<std::vector<std::vector<double>>>(json, key, where)) {
    if (place.size() != dump.num_experts) break;
    for (double weight : place) {
      if (!(weight >= 0 && weight <= 1)) {
        throw Error(ExitCode::kBadData, where + ": \"" + key + "\" has a weight beyond 0 to 1");
      }
      row.push_back(static_cast<float>(weight));
    }
  }
  if (row.size() != dump.columns()) {
    throw Error(ExitCode::kBadData, where + ": \"" + key + "\" is not of " +
                                        std::to_string(dump.places.size()) + " layers with " +
                                        std::to_string(dump.num_experts) + " experts each");
  }
  return row;
}

}  // namespace

std::string RouteDump::column_name(size_t column) const {
  return name_of(places.at(column / num_experts)) + ", expert " +
         std::to_string(column % num_experts + 1);
}

RouteDump dump_routes(const ModelRoutes& routes, const ModelConfig& config,
                      const std::vector<std::string>& tasks,
                      const std::vector<std::string>& families) {
  if (config.routing.num_experts <= 1) {
    throw Error(ExitCode::kUsage,
                "the model is dense: its tasks have no routes; name a routed one");
  }
  check(tasks.size() == routes.used.size() && tasks.size() == families.size(),
        "a name and a family for every task of the model");
  RouteDump dump{
      pools_of(config), static_cast<size_t>(config.routing.num_experts), routes.temperature, {}};
  for (size_t i = 0; i < tasks.size(); ++i) {
    dump.tasks.push_back({tasks[i], families[i], row_of(routes.likely[i], dump.places),
                          row_of(routes.used[i], dump.places)});
  }
  std::sort(dump.tasks.begin(), dump.tasks.end(), [](const RouteRow& a, const RouteRow& b) {
    return std::tie(a.family, a.task) < std::tie(b.family, b.task);
  });
  return dump;
}

RouteDump dump_routes(const ModelRoutes& routes, const ModelConfig& config,
                      const TaskCatalog& tasks) {
  std::vector<std::string> families;
  for (const TaskEntry& entry : tasks.entries()) families.push_back(entry.task.family);
  return dump_routes(routes, config, tasks.names(), families);
}

Json to_json(const RouteDump& dump) {
  Json json{
      {"temperature", dump.temperature}, {"experts", dump.num_experts}, {"places", Json::array()}};
  for (const LayerPlace& place : dump.places) json["places"].push_back(name_of(place));
  json["tasks"] = Json::array();
  for (const RouteRow& row : dump.tasks) {
    json["tasks"].push_back({{"task", row.task},
                             {"family", row.family},
                             {"likely", rounded(row.likely, dump.num_experts)},
                             {"used", rounded(row.used, dump.num_experts)}});
  }
  return json;
}

RouteDump route_dump_from_json(const Json& json, const std::string& where) {
  RouteDump dump;
  dump.temperature = json_get<double>(json, "temperature", where);
  const auto names = json_get<std::vector<std::string>>(json, "places", where);
  const auto experts = json_get<int64_t>(json, "experts", where);
  if (names.empty() || names.size() > kMostPlaces || experts < 2 ||
      experts > static_cast<int64_t>(kMostExperts)) {
    throw Error(ExitCode::kBadData, where + ": no routes of a model that could be");
  }
  dump.num_experts = static_cast<size_t>(experts);
  for (const std::string& name : names) dump.places.push_back(place_from_name(name, where));
  for (const Json& task : json_get<std::vector<Json>>(json, "tasks", where)) {
    dump.tasks.push_back(
        {json_get<std::string>(task, "task", where), json_get<std::string>(task, "family", where),
         row_from_json(task, "likely", dump, where), row_from_json(task, "used", dump, where)});
  }
  return dump;
}

}  // namespace trivium
