// Collections of text-to-text tasks on disk.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/data/task.h"

namespace trivium {

// A gym folder: per task a folder with task.json and train/dev/test.jsonl, and split.json, which
// names parts of the tasks.
class Gym {
 public:
  // Reads split.json, where there is one, and every task.json; records are read by load_task. Error kMissingInput /
  // kBadData.
  explicit Gym(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  // The names in a part of split.json ("seen", "dev", "unseen", "extra"), or every name for "all".
  // Error kUsage for another part, kMissingInput where the gym has no split.json.
  std::vector<std::string> tasks_of(const std::string& part) const;
  // Every task's name, sorted.
  const std::vector<std::string>& task_names() const { return names_; }

  // One task with its records; bad lines are an Error (kBadData) that names file:line. An unknown
  // name is an Error (kMissingInput) with the nearest names. `limit` > 0 reads at most so many
  // lines a split.
  Task load_task(const std::string& name, size_t limit = 0) const;
  // The same without records: what task.json says.
  const Task& describe(const std::string& name) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::string> names_;
  std::map<std::string, Task> descriptions_;
  std::map<std::string, std::vector<std::string>> parts_;  // empty without split.json
};

// CrossFit's layout: <folder>/<task>_<k>_<seed>_{train,dev,test}.tsv with input TAB target [TAB
// target…]. Where the folder holds several samples, `task` names one: "glue-sst2_16_100"; else
// "glue-sst2" does. The task's records have the fields "input", "target" and "targets". Error
// kBadData names file:line.
Task load_crossfit_task(const std::filesystem::path& folder, const std::string& task);

// P3-style JSONL with the keys "inputs", "targets" (a string, or a list of accepted strings) and
// optionally "answer_choices": a folder with some of {train,dev,validation,test}.jsonl, or one file
// (its name says which split it is; any other name is train). The task's records have the fields
// "input", "target", "targets" and, where given, "choices".
Task load_p3_task(const std::filesystem::path& path, const std::string& task);

}  // namespace trivium
