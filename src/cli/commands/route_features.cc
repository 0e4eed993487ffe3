#include "cli/commands/route_features.h"

#include <algorithm>
#include <vector>

#include "cli/program/home.h"
#include "cli/program/json_flag.h"
#include "core/base/logging.h"

namespace trivium::cli {

FeatureTable features_of_tasks(const TaskCatalog& tasks, const Gym& gym,
                               const PromptLibrary& prompts, const std::string& labels) {
  std::vector<std::string> shared;
  const std::vector<std::string>& known = gym.task_names();
  for (const std::string& name : tasks.names()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      spdlog::warn("{} is left out: the gym does not have it", name);
      continue;
    }
    shared.push_back(name);
  }
  const std::filesystem::path file = labels.empty()
                                         ? home_folder() / "configs" / "task_features.toml"
                                         : std::filesystem::path(labels);
  return task_features(gym, shared, prompts, HandLabels(file));
}

void add_feature_flags(CLI::App& command, FeatureFlags& flags) {
  command.add_option("--gym", flags.gym, "gym folder: split.json and a folder a task")->required();
  command.add_option("--features", flags.labels,
                     "hand-labelled features (TOML) [configs/task_features.toml]");
  add_json_flag(command, flags.json);
}

}  // namespace trivium::cli
