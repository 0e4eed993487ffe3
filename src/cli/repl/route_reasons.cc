#include "cli/repl/route_reasons.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "core/analysis/correlation_report.h"
#include "core/analysis/task_features.h"

namespace trivium::cli {
namespace {

constexpr size_t kRoutesShown = 5;
constexpr size_t kKindsShown = 4;   // of an expert
constexpr size_t kFewestTasks = 3;  // that a correlation is defined for

const RouteRow* row_of(const RouteDump& dump, const std::string& task) {
  const auto found = std::find_if(dump.tasks.begin(), dump.tasks.end(),
                                  [&](const RouteRow& row) { return row.task == task; });
  return found == dump.tasks.end() ? nullptr : &*found;
}

size_t expert_taken(const RouteDump& dump, const RouteRow& row, size_t place) {
  const auto begin = row.used.begin() + static_cast<int64_t>(dump.column(place, 0));
  const auto end = begin + static_cast<int64_t>(dump.num_experts);
  return static_cast<size_t>(std::max_element(begin, end) - begin);
}

// A feature for each family: whether a task is of it.
FeatureTable family_features(const RouteDump& dump) {
  FeatureTable table;
  std::set<std::string> families;
  for (const RouteRow& row : dump.tasks) {
    table.tasks.push_back(row.task);
    if (!row.family.empty()) families.insert(row.family);
  }
  for (const std::string& family : families) {
    TaskFeature feature{"family " + family, "", /*is_counted=*/true, {}};
    for (const RouteRow& row : dump.tasks) feature.has.push_back(row.family == family);
    table.features.push_back(std::move(feature));
  }
  return table;
}

FeatureTable labelled_features(const RouteDump& dump, const HandLabels& labels) {
  FeatureTable table;
  for (const RouteRow& row : dump.tasks) {
    if (labels.covers(row.task)) table.tasks.push_back(row.task);
  }
  for (const auto& [name, meaning] : labels.features()) {
    TaskFeature feature{name, meaning, /*is_counted=*/false, {}};
    for (const std::string& task : table.tasks) feature.has.push_back(labels.has(task, name));
    table.features.push_back(std::move(feature));
  }
  return table;
}

// The pairs that hold, the least p first.
std::vector<FeatureExpert> pairs_found(const RouteDump& dump, const std::filesystem::path& labels) {
  std::vector<FeatureExpert> pairs;
  for (const FeatureTable& table :
       {family_features(dump), labelled_features(dump, HandLabels(labels))}) {
    if (table.tasks.size() < kFewestTasks || table.features.empty()) continue;
    for (const FeatureExpert& pair : correlate(dump, table).found()) {
      if (pair.r > 0) pairs.push_back(pair);
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.p < b.p; });
  return pairs;
}

std::string with_figure(const std::string& text, const char* name, double number) {
  char figure[32];
  std::snprintf(figure, sizeof figure, " (%s%.2f)", name, number);
  return text + figure;
}

}  // namespace

std::vector<NearRoute> nearest_routes(const RouteDump& dump, const std::string& task,
                                      size_t count) {
  const RouteRow* own = row_of(dump, task);
  if (own == nullptr) return {};
  std::vector<NearRoute> near;
  for (const RouteRow& other : dump.tasks) {
    if (other.task == task) continue;
    NearRoute route{other.task};
    for (size_t place = 0; place < dump.places.size(); ++place) {
      route.same += expert_taken(dump, *own, place) == expert_taken(dump, other, place);
    }
    for (size_t c = 0; c < dump.columns(); ++c) {
      route.likeness += static_cast<double>(std::min(own->likely[c], other.likely[c]));
    }
    route.likeness /= static_cast<double>(dump.places.size());
    near.push_back(std::move(route));
  }
  std::stable_sort(near.begin(), near.end(), [](const NearRoute& a, const NearRoute& b) {
    return a.same != b.same ? a.same > b.same : a.likeness > b.likeness;
  });
  near.resize(std::min(near.size(), count));
  return near;
}

std::vector<ExpertMeaning> expert_meanings(const RouteDump& dump, const std::string& task,
                                           const std::filesystem::path& labels) {
  const RouteRow* own = row_of(dump, task);
  if (own == nullptr) return {};
  const std::vector<FeatureExpert> pairs = pairs_found(dump, labels);
  std::vector<ExpertMeaning> meanings;
  for (size_t place = 0; place < dump.places.size(); ++place) {
    const size_t expert = expert_taken(dump, *own, place);
    ExpertMeaning meaning{expert_name(dump.places[place], expert), {}};
    for (const FeatureExpert& pair : pairs) {
      const bool is_its = pair.place == dump.places[place] && pair.expert == expert;
      if (is_its && meaning.kinds.size() < kKindsShown) {
        meaning.kinds.push_back(with_figure(pair.feature, "r ", pair.r));
      }
    }
    if (!meaning.kinds.empty()) meanings.push_back(std::move(meaning));
  }
  return meanings;
}

std::string route_reasons(const RouteDump& dump, const std::string& task,
                          const std::filesystem::path& labels, const TerminalStyle& style) {
  const std::vector<NearRoute> near = nearest_routes(dump, task, kRoutesShown);
  if (near.empty()) return "";
  std::string tasks;
  for (const NearRoute& route : near) {
    const std::string name = sanitise(route.task) + ' ' + std::to_string(route.same) + " of " +
                             std::to_string(dump.places.size());
    tasks += (tasks.empty() ? "" : ", ") + with_figure(name, "", route.likeness);
  }
  std::string text =
      wrap("Nearest routes, by layers with the same expert (and weight shared): " + tasks + '.',
           style, 2) +
      '\n';
  const std::vector<ExpertMeaning> meanings = expert_meanings(dump, task, labels);
  if (meanings.empty()) {
    return text + wrap("No kind of tasks surely goes with an expert that it takes.", style) + '\n';
  }
  text += wrap("Kinds of tasks that go with the experts that it takes:", style) + '\n';
  for (const ExpertMeaning& meaning : meanings) {
    std::string kinds;
    for (const std::string& kind : meaning.kinds) {
      kinds += (kinds.empty() ? "" : ", ") + sanitise(kind);
    }
    text += wrap("  " + meaning.expert + ": " + kinds, style, 4) + '\n';
  }
  return text;
}

}  // namespace trivium::cli
