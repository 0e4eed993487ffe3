// CrossFit's TSV files and P3-style JSONL, read as tasks with the fields input, target and targets.
#include <array>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/data/gym.h"
#include "core/data/jsonl_records.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

Task plain_task(const std::string& name) {
  Task task;
  task.name = name;
  task.inputs = {"input"};
  task.target = "target";
  task.accepted = "targets";
  return task;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The samples "<k>_<seed>" of `task` in the folder, from file names <task>_<k>_<seed>_train.tsv.
std::set<std::string> crossfit_samples(const fs::path& folder, const std::string& task) {
  std::set<std::string> samples;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view kSuffix = "_train.tsv";
    if (!name.starts_with(task + "_") || !name.ends_with(kSuffix)) continue;
    if (name.size() < task.size() + 1 + kSuffix.size()) continue;
    const std::string sample =
        name.substr(task.size() + 1, name.size() - task.size() - 1 - kSuffix.size());
    const std::vector<std::string> parts = split(sample, '_');
    if (parts.size() == 2 && all_digits(parts[0]) && all_digits(parts[1])) samples.insert(sample);
  }
  return samples;
}

// The common beginning of the sample's three file names.
std::string crossfit_stem(const fs::path& folder, const std::string& task) {
  if (fs::exists(folder / (task + "_train.tsv"))) return task;
  if (!fs::is_directory(folder))
    throw Error(ExitCode::kMissingInput, "there is no folder " + folder.string());
  const std::set<std::string> samples = crossfit_samples(folder, task);
  if (samples.empty()) {
    throw Error(ExitCode::kMissingInput,
                folder.string() + " has no file " + task + "_<k>_<seed>_train.tsv");
  }
  if (samples.size() > 1) {
    throw Error(ExitCode::kUsage, folder.string() + " holds " + std::to_string(samples.size()) +
                                      " samples of " + task + "; name one, for example " + task +
                                      "_" + *samples.begin());
  }
  return task + "_" + *samples.begin();
}

Record crossfit_record(const std::string& text, const std::string& where) {
  const std::vector<std::string> columns = split(text, '\t');
  if (columns.size() < 2) {
    throw Error(ExitCode::kBadData,
                where + ": 1 column; expected input TAB target [TAB target...]");
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (trim(columns[i]).empty()) {
      throw Error(ExitCode::kBadData, where + ": column " + std::to_string(i + 1) + " of " +
                                          std::to_string(columns.size()) +
                                          " is empty; is there a stray tab?");
    }
  }
  Record record{Json::object(), where};
  record.fields["input"] = columns[0];
  record.fields["target"] = columns[1];
  record.fields["targets"] = std::vector<std::string>(columns.begin() + 1, columns.end());
  return record;
}

Record p3_record(const Record& raw) {
  const Json& targets = raw.fields.at("targets");
  if (!raw.fields.at("inputs").is_string())
    throw Error(ExitCode::kBadData, raw.where + ": \"inputs\" is not text");
  if (targets.is_array() && targets.empty())
    throw Error(ExitCode::kBadData, raw.where + ": \"targets\" is empty");
  Record record{Json::object(), raw.where};
  record.fields["input"] = raw.fields.at("inputs");
  record.fields["target"] = targets.is_array() ? targets.front() : targets;
  record.fields["targets"] = targets.is_array() ? targets : Json::array({targets});
  if (raw.fields.contains("answer_choices"))
    record.fields["choices"] = raw.fields.at("answer_choices");
  return record;
}

void read_p3_file(const fs::path& path, Split split, Task& task) {
  for (const Record& raw : read_jsonl_records(path, {"inputs", "targets"}, 0)) {
    task.records[split].push_back(p3_record(raw));
    check_target(task, task.records[split].back());
  }
}

}  // namespace

Task load_crossfit_task(const fs::path& folder, const std::string& task_name) {
  const std::string stem = crossfit_stem(folder, task_name);
  Task task = plain_task(task_name);
  const std::array<std::pair<Split, const char*>, 3> files = {
      {{Split::kTrain, "_train.tsv"}, {Split::kDev, "_dev.tsv"}, {Split::kTest, "_test.tsv"}}};
  for (const auto& [split, suffix] : files) {
    std::vector<Record>& records = task.records[split];
    for_each_line(folder / (stem + suffix), 0,
                  [&](const std::string& text, const std::string& where) {
                    records.push_back(crossfit_record(text, where));
                  });
  }
  return task;
}

Task load_p3_task(const fs::path& path, const std::string& task_name) {
  Task task = plain_task(task_name);
  const std::array<std::pair<Split, const char*>, 4> files = {{{Split::kTrain, "train.jsonl"},
                                                               {Split::kDev, "dev.jsonl"},
                                                               {Split::kDev, "validation.jsonl"},
                                                               {Split::kTest, "test.jsonl"}}};
  if (!fs::is_directory(path)) {
    Split split = Split::kTrain;
    for (const auto& [candidate, name] : files) {
      if (path.filename() == name) split = candidate;
    }
    read_p3_file(path, split, task);
    return task;
  }
  for (const auto& [split, name] : files) {
    if (fs::exists(path / name)) read_p3_file(path / name, split, task);
  }
  if (task.records.empty()) {
    throw Error(
        ExitCode::kMissingInput,
        path.string() + " has none of train.jsonl, dev.jsonl, validation.jsonl, test.jsonl");
  }
  return task;
}

}  // namespace trivium
