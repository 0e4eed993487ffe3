#include "core/data/gym.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/jsonl_records.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<Split, const char*>, 3> kFiles = {
    {{Split::kTrain, "train.jsonl"}, {Split::kDev, "dev.jsonl"}, {Split::kTest, "test.jsonl"}}};

// Names become file names and template variables, so only plain ones are let in.
void check_name(const std::string& name, const std::string& where) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (name.empty() || !plain) {
    throw Error(ExitCode::kBadData,
                where + ": \"" + name + "\" is not a plain name (letters, digits, _ and -)");
  }
}

std::vector<std::string> names_at(const Json& object, const char* key, const std::string& where) {
  auto names = json_get<std::vector<std::string>>(object, key, where);
  for (const std::string& name : names) check_name(name, where);
  return names;
}

Task read_description(const fs::path& path, const std::string& name) {
  const std::string where = path.string();
  const Json json = read_json_file(path);
  Task task;
  task.name = json_get<std::string>(json, "name", where);
  if (task.name != name) {
    throw Error(ExitCode::kBadData,
                where + ": names the task \"" + task.name + "\", its folder \"" + name + "\"");
  }
  task.family = json_get_or<std::string>(json, "family", where, "");
  task.metric = json_get<std::string>(json, "metric", where);
  task.inputs = names_at(json, "inputs", where);
  task.target = json_get<std::string>(json, "target", where);
  check_name(task.target, where);
  if (task.inputs.empty()) throw Error(ExitCode::kBadData, where + ": key \"inputs\" is empty");
  task.labels = json_get_or<std::vector<std::string>>(json, "labels", where, {});
  // A gym marks a task with several accepted answers by a field of that name.
  const std::vector<std::string> fields = names_at(json, "fields", where);
  if (std::find(fields.begin(), fields.end(), "accepted") != fields.end())
    task.accepted = "accepted";
  task.licence = json_get_or<std::string>(json, "licence", where, "");
  task.source = json_get_or<std::string>(json, "source_repo", where, "");
  return task;
}

}  // namespace

Gym::Gym(const fs::path& folder) : folder_(folder) {
  if (!fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput, "there is no gym folder " + folder.string());
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!fs::exists(entry.path() / "task.json")) continue;
    const std::string name = entry.path().filename().string();
    check_name(name, folder.string());
    descriptions_[name] = read_description(entry.path() / "task.json", name);
  }
  for (const auto& [name, task] : descriptions_) names_.push_back(name);
  const fs::path split_path = folder / "split.json";
  if (!fs::exists(split_path)) return;
  const Json split = read_json_file(split_path);
  for (const char* part : {"seen", "dev", "unseen", "extra"}) {
    parts_[part] = split.contains(part) ? names_at(split, part, split_path.string())
                                        : std::vector<std::string>();
    for (const std::string& name : parts_[part]) {
      if (!descriptions_.contains(name)) {
        throw Error(ExitCode::kBadData,
                    split_path.string() + ": task \"" + name + "\" has no folder with a task.json");
      }
    }
  }
}

std::vector<std::string> Gym::tasks_of(const std::string& part) const {
  if (part == "all") return names_;
  if (parts_.empty()) {
    throw Error(ExitCode::kMissingInput,
                folder_.string() + " has no split.json, which would name its part \"" + part +
                    "\"; name tasks (--tasks A,B, or data.tasks), or take the part all");
  }
  const auto found = parts_.find(part);
  if (found == parts_.end()) {
    throw Error(ExitCode::kUsage,
                "a gym has no part \"" + part + "\"; use seen, dev, unseen, extra or all");
  }
  return found->second;
}

const Task& Gym::describe(const std::string& name) const {
  const auto found = descriptions_.find(name);
  if (found == descriptions_.end()) {
    throw Error(ExitCode::kMissingInput, "the gym " + folder_.string() + " has no task \"" + name +
                                             "\"" + did_you_mean(name, names_));
  }
  return found->second;
}

Task Gym::load_task(const std::string& name, size_t limit) const {
  Task task = describe(name);
  std::vector<std::string> required = task.inputs;
  required.push_back(task.target);
  if (!task.accepted.empty()) required.push_back(task.accepted);
  for (const auto& [split, file] : kFiles) {
    task.records[split] = read_jsonl_records(folder_ / name / file, required, limit);
    for (const Record& record : task.records[split]) check_target(task, record);
  }
  return task;
}

}  // namespace trivium
