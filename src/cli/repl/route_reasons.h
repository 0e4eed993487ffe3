// What a route says of a prompt: whose routes are like it, and what its experts are for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/terminal/terminal_text.h"
#include "core/data/task_catalog.h"
#include "core/routes/route_dump.h"

namespace trivium::cli {

struct NearRoute {
  std::string task;
  size_t same = 0;      // layers with a choice in which it takes the same expert
  double likeness = 0;  // shared weight a layer, at temperature 1: 1 where the routes are the same
};

// The tasks whose routes are nearest to that of `task`, at most `count`: by the layers in which
// they take the same expert, then by likeness. None for a task that the dump does not have.
std::vector<NearRoute> nearest_routes(const RouteDump& dump, const std::string& task, size_t count);

// Of the experts that `task` takes: "encoder 4, expert 2", and the families and hand-labelled kinds
// of tasks that go with it (core/analysis/correlation_report.h; r > 0, p < 0.01).
struct ExpertMeaning {
  std::string expert;
  std::vector<std::string> kinds;  // "nli (r 0.62)", the likeliest first
};
// `labels`: the file of hand labels; tasks that it does not cover count by family only. Errors as
// HandLabels.
std::vector<ExpertMeaning> expert_meanings(const RouteDump& dump, const std::string& task,
                                           const std::filesystem::path& labels);

// Both in words.
std::string route_reasons(const RouteDump& dump, const std::string& task,
                          const std::filesystem::path& labels, const TerminalStyle& style);

}  // namespace trivium::cli
