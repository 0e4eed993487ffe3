// The features of a checkpoint's tasks, for the commands that hold them against routes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/analysis/task_features.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "core/data/task_catalog.h"

namespace trivium::cli {

// Of the tasks that the gym has; those that it lacks are named on standard error. `labels`: the
// file of hand-labelled features, "" for the shipped one. Errors as task_features and HandLabels.
FeatureTable features_of_tasks(const TaskCatalog& tasks, const Gym& gym,
                               const PromptLibrary& prompts, const std::string& labels);

// --gym, --features and --json.
struct FeatureFlags {
  std::string gym, labels;
  bool json = false;
};
void add_feature_flags(CLI::App& command, FeatureFlags& flags);

}  // namespace trivium::cli
