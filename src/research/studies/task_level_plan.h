// What the slides say of the ways to route: the content of configs/task_level/plan.toml, whose
// comments say how it is written.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "research/studies/task_statistics.h"

namespace trivium::research {

// The mean over tasks of one method is above another's.
struct TaskLevelClaim {
  std::string text;
  ScorePart part;
  std::string better, worse;
};

struct TaskLevelPlan {
  std::string dense;                       // gains and operations are relative to this method's
  std::vector<std::string> tried_against;  // the methods that tried settings are compared with
  std::vector<TaskLevelClaim> claims;
};

// Error kMissingInput; kConfig, naming file and line, for an unknown key, a part that there is not,
// and a method that the file's list of methods lacks.
TaskLevelPlan read_task_level_plan(const std::filesystem::path& file);

}  // namespace trivium::research
