#include "core/data/gym.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/base/text.h"
#include "core/data/jsonl_records.h"
#include "core/data/table_file.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<Split, const char*>, 3> kFiles = {
    {{Split::kTrain, "train.jsonl"}, {Split::kDev, "dev.jsonl"}, {Split::kTest, "test.jsonl"}}};

// Names become file names and template variables, so only plain ones are let in.
void check_name(const std::string& name, const std::string& where) {
  if (!is_plain_name(name)) {
    bad_data(where, "\"" + name + "\" is not a plain name (letters, digits, _ and -)");
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
    bad_data(where, "names the task \"" + task.name + "\", its folder \"" + name + "\"");
  }
  task.family = json_get_or<std::string>(json, "family", where, "");
  task.metric = json_get<std::string>(json, "metric", where);
  task.inputs = names_at(json, "inputs", where);
  task.target = json_get<std::string>(json, "target", where);
  check_name(task.target, where);
  if (task.inputs.empty()) bad_data(where, "key \"inputs\" is empty");
  task.labels = json_get_or<std::vector<std::string>>(json, "labels", where, {});
  // A gym marks a task with several accepted answers by a field of that name.
  const std::vector<std::string> fields = names_at(json, "fields", where);
  if (std::find(fields.begin(), fields.end(), "accepted") != fields.end())
    task.accepted = "accepted";
  task.licence = json_get_or<std::string>(json, "licence", where, "");
  task.source = json_get_or<std::string>(json, "source_repo", where, "");
  return task;
}

// Takes every fifth record out of train for each of dev and test that the task lacks.
void hold_out(Task& task) {
  constexpr size_t kShare = 5;
  const bool lacks_dev = task.records[Split::kDev].empty();
  const bool lacks_test = task.records[Split::kTest].empty();
  std::vector<Record> train = std::move(task.records[Split::kTrain]), kept;
  for (size_t i = 0; i < train.size(); ++i) {
    const bool to_test = lacks_test && i % kShare == kShare - 1;
    const bool to_dev = lacks_dev && i % kShare == kShare - 2;
    std::vector<Record>& records = to_test  ? task.records[Split::kTest]
                                   : to_dev ? task.records[Split::kDev]
                                            : kept;
    records.push_back(std::move(train[i]));
  }
  task.records[Split::kTrain] = std::move(kept);
}

// A table or JSONL file; hidden ones are a file manager's.
bool is_example_file(const fs::directory_entry& entry) {
  const std::string ending = to_lower_ascii(entry.path().extension().string());
  return (ending == ".csv" || ending == ".tsv" || ending == ".jsonl") &&
         !entry.path().filename().string().starts_with('.') && entry.is_regular_file();
}

std::set<fs::path> example_files(const fs::path& folder) {
  std::set<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (is_example_file(entry)) files.insert(entry.path());
  }
  return files;
}

// Of a folder whose tasks are folders in it.
void warn_of_files(const fs::path& folder) {
  const std::set<fs::path> files = example_files(folder);
  if (files.empty()) return;
  spdlog::warn(
      "{} holds tasks in folders, so that its files are none: {}{}; give them a folder of their "
      "own",
      folder.string(), files.begin()->filename().string(),
      files.size() == 1 ? "" : fmt::format(" and {} more", files.size() - 1));
}

}  // namespace

const EnumNames<Split>& scored_split_names() {
  static const EnumNames<Split> names = {{"test", Split::kTest}, {"dev", Split::kDev}};
  return names;
}

Task load_example_file(const fs::path& path, const std::string& task, size_t limit) {
  const std::string ending = to_lower_ascii(path.extension().string());
  if (!fs::is_regular_file(path)) {
    throw Error(ExitCode::kMissingInput, "there is no file " + path.string());
  }
  if (ending == ".csv" || ending == ".tsv") return load_table_task(path, task, limit);
  if (ending != ".jsonl") {
    throw Error(ExitCode::kUsage,
                path.string() +
                    " is none of .csv, .tsv and .jsonl; pandas writes those: "
                    "read_parquet(FILE), read_excel(FILE) or read_json(FILE), then "
                    ".to_csv(\"mine.csv\", index=False)");
  }
  const std::vector<Record> first = read_jsonl_records(path, {}, 1);
  const bool is_p3 = !first.empty() && (first[0].fields.contains("inputs") ||
                                        first[0].fields.contains("inputs_pretokenized"));
  return is_p3 || first.empty() ? load_p3_task(path, task, limit)
                                : load_table_task(path, task, limit);
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

Gym::Gym(const fs::path& folder) : folder_(folder) {
  if (fs::is_regular_file(folder)) {
    add_file(folder);
  } else if (!fs::is_directory(folder)) {
    throw Error(ExitCode::kMissingInput, "there is no gym folder " + folder.string());
  } else {
    add_folder(folder);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory()) add_folder(entry.path());
    }
    const bool are_tasks = std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) {
      return source.second.path == folder;
    });
    if (sources_.empty()) {
      add_files(folder);
    } else if (!are_tasks) {
      warn_of_files(folder);
    }
  }
  if (sources_.empty()) {
    throw Error(ExitCode::kMissingInput,
                folder.string() + " holds no task: neither folders with a task.json, nor files " +
                    "TASK_16_100_train.tsv, train.jsonl, TASK.csv, TASK.tsv or TASK.jsonl; " +
                    "docs/data.md shows each form");
  }
  for (const auto& [name, source] : sources_) names_.push_back(name);
  if (fs::exists(folder / "split.json")) read_parts(folder / "split.json");
}

// The tasks whose files lie in `folder` itself.
void Gym::add_folder(const fs::path& folder) {
  const std::string name = fs::canonical(folder).filename().string();
  std::error_code unreadable;  // a folder that one may not look into is none of the tasks
  if (fs::exists(folder / "task.json", unreadable)) {
    check_name(name, folder.string());
    sources_[name] = {Form::kGym, folder, read_description(folder / "task.json", name)};
    return;
  }
  const std::vector<std::string> samples = crossfit_tasks(folder);
  for (const std::string& sample : samples) add_plain(Form::kCrossFit, folder, sample);
  const bool may_be_task = is_plain_name(name) || folder == folder_;
  if (samples.empty() && may_be_task && fs::exists(folder / "train.jsonl", unreadable)) {
    add_plain(Form::kP3, folder, name);
  }
}

void Gym::add_file(const fs::path& path) {
  const std::string name = made_plain(path.stem().string());
  add_plain(Form::kFile, path, name);
  Task task = load_example_file(path, name);
  size_t count = 0;
  for (const auto& [split, records] : task.records) count += records.size();
  spdlog::info("{}: task {} of {} examples: {}", path.string(), name, count, table_task_text(task));
  task.records.clear();
  sources_.at(name).description = std::move(task);
}

// A collection of one's own: every table and every JSONL file is a task.
void Gym::add_files(const fs::path& folder) {
  const std::set<fs::path> files = example_files(folder);
  for (const fs::path& file : files) add_file(file);
  const auto has = [&](const char* name) {
    return std::any_of(files.begin(), files.end(),
                       [&](const fs::path& file) { return file.stem() == name; });
  };
  if (!has("train") || !has("test")) return;
  spdlog::warn(
      "{}: train and test are two tasks here; to make them one, put them into one file, with a "
      "column \"split\" that says train, dev or test",
      folder.string());
}

void Gym::add_plain(Form form, const fs::path& path, const std::string& name) {
  check_name(name, path.string());
  if (sources_.contains(name)) {
    bad_data(path.string(),
             "a second task \"" + name + "\"; the first is " + sources_.at(name).path.string());
  }
  sources_[name] = {form, path, plain_task(name)};
}

void Gym::read_parts(const fs::path& path) {
  const Json split = read_json_file(path);
  for (const char* part : {"seen", "dev", "unseen", "extra"}) {
    parts_[part] =
        split.contains(part) ? names_at(split, part, path.string()) : std::vector<std::string>();
    for (const std::string& name : parts_[part]) {
      if (!sources_.contains(name)) {
        bad_data(path.string(), "task \"" + name + "\" has no folder with a task.json");
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

std::vector<std::string> Gym::chosen_tasks(const std::string& part,
                                           const std::vector<std::string>& names) const {
  const bool takes_all = part == "seen" && parts_.empty();
  std::vector<std::string> chosen = !names.empty() ? names : takes_all ? names_ : tasks_of(part);
  if (chosen.empty()) {
    throw Error(ExitCode::kConfig, folder_.string() + " has no task in its part \"" + part +
                                       "\"; name another part, or tasks");
  }
  std::set<std::string> seen;
  for (const std::string& name : chosen) {
    source_of(name);
    if (!seen.insert(name).second) {
      throw Error(ExitCode::kConfig, "the task " + name + " is named twice; name it once");
    }
  }
  return chosen;
}

const Gym::Source& Gym::source_of(const std::string& name) const {
  const auto found = sources_.find(name);
  if (found == sources_.end()) {
    throw Error(ExitCode::kMissingInput, "the gym " + folder_.string() + " has no task \"" + name +
                                             "\"" + name_hint(name, names_));
  }
  return found->second;
}

const Task& Gym::describe(const std::string& name) const { return source_of(name).description; }

Task Gym::load_task(const std::string& name, size_t limit) const {
  const Source& source = source_of(name);
  if (source.form == Form::kCrossFit) return load_crossfit_task(source.path, name, limit);
  if (source.form == Form::kP3 || source.form == Form::kFile) {
    Task task = source.form == Form::kP3 ? load_p3_task(source.path, name, limit)
                                         : load_example_file(source.path, name, limit);
    // Read in part, a table may lack some labels.
    if (source.form == Form::kFile) {
      task.labels = source.description.labels;
      task.metric = source.description.metric;
    }
    hold_out(task);
    return task;
  }
  Task task = source.description;
  std::vector<std::string> used = task.inputs;
  used.push_back(task.target);
  if (!task.accepted.empty()) used.push_back(task.accepted);
  for (const auto& [split, file] : kFiles) {
    task.records[split] = read_jsonl_records(source.path / file, used, limit);
    for (const Record& record : task.records[split]) check_target(task, record);
  }
  return task;
}

}  // namespace trivium
