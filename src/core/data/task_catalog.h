// What a checkpoint knows of its tasks (tasks.json), without the gym or the prompts folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/prompt_template.h"
#include "core/data/task.h"

namespace trivium {

struct TaskEntry {
  Task task;  // without records
  std::string description;
  Json example;  // made-up input fields
  std::shared_ptr<const PromptTemplate> prompt;

  // The example as the model sees it; "" when the task has none.
  std::string example_prompt() const;
};

class TaskCatalog {
 public:
  // Appends a task with its default template. A name that is there already is a bug.
  void add(const Task& task, const PromptLibrary& prompts);
  void add(TaskEntry entry);

  // In order: an entry's index is the task's row among the model's task vectors.
  const std::vector<TaskEntry>& entries() const { return entries_; }
  std::vector<std::string> names() const;
  bool has(const std::string& name) const;
  // Error kMissingInput, with the nearest names, for a task that is not there.
  size_t index_of(const std::string& name) const;
  const TaskEntry& find(const std::string& name) const { return entries_[index_of(name)]; }

  Json to_json() const;
  // Strict: unknown keys, wrong types, double names and unusable templates are an Error (kBadModel)
  // that begins with `where`.
  static TaskCatalog from_json(const Json& json, const std::string& where);

 private:
  std::vector<TaskEntry> entries_;
};

}  // namespace trivium
