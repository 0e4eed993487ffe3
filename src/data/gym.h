// Collections of text-to-text tasks on disk.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/task.h"

namespace trivium {

// A gym folder: split.json and, per task, a folder with task.json and train/dev/test.jsonl.
class Gym {
 public:
  // Reads split.json and every task.json; records are read by load_task. Error kMissingInput / kBadData.
  explicit Gym(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  // The names in a part of split.json ("seen", "dev", "unseen", "extra", or "all").
  std::vector<std::string> tasks_of(const std::string& part) const;
  // Every task's name, sorted.
  const std::vector<std::string>& task_names() const { return names_; }

  // One task with its records; bad lines are an Error (kBadData) that names file:line. An unknown name
  // is an Error (kMissingInput) with the nearest names. `limit` > 0 reads at most so many lines a split.
  Task load_task(const std::string& name, size_t limit = 0) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::string> names_;
  std::map<std::string, std::vector<std::string>> parts_;
};

// CrossFit's layout: <folder>/<task>_<k>_<seed>_{train,dev,test}.tsv with input TAB target [TAB target…].
// The task's records have the fields "input", "target" and "targets". Error kBadData names file:line.
Task load_crossfit_task(const std::filesystem::path& folder, const std::string& task);

// P3-style JSONL: {train,dev,test}.jsonl (or one file) with "inputs" and "targets", optionally
// "answer_choices".
Task load_p3_task(const std::filesystem::path& path, const std::string& task);

}  // namespace trivium
