// The known task whose route an unknown task takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/data/task_catalog.h"
#include "core/data/task_finder.h"

namespace trivium {

struct TaskChoice {
  std::string task;
  size_t votes = 0;  // of the inputs that are nearest to this task
  size_t inputs = 0;
};

// Every input votes for the task that it is nearest to; among equals the sum of the probabilities
// decides. At least one input.
TaskChoice vote_for_task(const TaskFinder& finder, const std::vector<std::string>& inputs);

// Whose route a task takes: its own, the nearest known task's by its inputs, or none.
struct RouteChoice {
  int64_t row = -1;             // of the catalog; -1: none
  std::string source = "none";  // or "own", or "sst2 (28 of 32)"
};
RouteChoice choose_route(const TaskCatalog& tasks, const std::optional<TaskFinder>& finder,
                         const std::string& task, const std::vector<std::string>& inputs);

}  // namespace trivium
