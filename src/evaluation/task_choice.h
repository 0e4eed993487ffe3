// The known task whose route an unknown task takes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "data/task_finder.h"

namespace trivium {

struct TaskChoice {
  std::string task;
  size_t votes = 0;  // of the inputs that are nearest to this task
  size_t inputs = 0;
};

// Every input votes for the task that it is nearest to; among equals the sum of the probabilities
// decides. At least one input.
TaskChoice vote_for_task(const TaskFinder& finder, const std::vector<std::string>& inputs);

}  // namespace trivium
