// Binary features of tasks, to be held against their routes: what the records show, and what people
// know of the tasks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "core/data/task.h"

namespace trivium {

struct TaskFeature {
  std::string name;
  std::string meaning;      // one line for people
  bool is_counted = false;  // from the records; otherwise labelled by hand
  std::vector<bool> has;    // of the table's tasks, in order
  size_t count() const;     // of the tasks that have it
};

struct FeatureTable {
  std::vector<std::string> tasks;
  std::vector<TaskFeature> features;
};

// The labels that people gave (configs/task_features.toml).
class HandLabels {
 public:
  // Error kConfig, naming the file, for anything else than [features] name = "meaning" and [tasks]
  // task = ["feature"...]; kMissingInput.
  explicit HandLabels(const std::filesystem::path& file);

  const std::vector<std::pair<std::string, std::string>>& features() const { return features_; }
  bool covers(const std::string& task) const { return tasks_.contains(task); }
  // Error kConfig for a task that the file does not cover.
  bool has(const std::string& task, const std::string& feature) const;

 private:
  std::filesystem::path file_;
  std::vector<std::pair<std::string, std::string>> features_;  // name, meaning
  std::map<std::string, std::vector<std::string>> tasks_;
};

// The names and meanings of the features that are counted, in the table's order.
const std::vector<std::pair<std::string, std::string>>& counted_features();

// Which counted features a task has, by its train split's first 500 records.
std::vector<bool> count_features(const Task& task, const PromptTemplate& prompt);

// The counted features of `tasks` (with their records), then the hand-labelled ones. Error kConfig
// for a task without hand labels.
FeatureTable task_features(const std::vector<Task>& tasks, const PromptLibrary& prompts,
                           const HandLabels& labels);
// The same of tasks of a gym, of which it reads no more records than the features are counted from.
FeatureTable task_features(const Gym& gym, const std::vector<std::string>& tasks,
                           const PromptLibrary& prompts, const HandLabels& labels);

}  // namespace trivium
