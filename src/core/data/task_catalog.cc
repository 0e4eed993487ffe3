#include "core/data/task_catalog.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium {
namespace {

constexpr int kVersion = 1;

void check_keys(const Json& object, const std::set<std::string>& known, const std::string& where) {
  if (!object.is_object()) throw Error(ExitCode::kBadModel, where + ": not a JSON object");
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key))
      throw Error(ExitCode::kBadModel, where + ": unknown key \"" + key + "\"");
  }
}

Json spec_to_json(const TemplateSpec& spec) {
  Json json = {
      {"name", spec.name}, {"input", spec.input}, {"target", spec.target}, {"words", spec.words}};
  if (spec.numbers) {
    json["numbers"] = {
        {"from", spec.numbers->from}, {"to", spec.numbers->to}, {"step", spec.numbers->step}};
  }
  return json;
}

Json entry_to_json(const TaskEntry& entry) {
  const Task& task = entry.task;
  return {{"name", task.name},
          {"family", task.family},
          {"description", entry.description},
          {"metric", task.metric},
          {"inputs", task.inputs},
          {"target", task.target},
          {"labels", task.labels},
          {"template", spec_to_json(entry.prompt->spec())},
          {"example", entry.example},
          {"licence", task.licence},
          {"source", task.source}};
}

TemplateSpec spec_from_json(const Json& json, const std::string& where) {
  check_keys(json, {"name", "input", "target", "words", "numbers"}, where);
  TemplateSpec spec;
  spec.name = json_get<std::string>(json, "name", where);
  spec.input = json_get<std::string>(json, "input", where);
  spec.target = json_get<std::string>(json, "target", where);
  spec.words = json_get<std::map<std::string, std::string>>(json, "words", where);
  if (json.contains("numbers")) {
    const Json& numbers = json["numbers"];
    check_keys(numbers, {"from", "to", "step"}, where);
    spec.numbers = NumberScale{json_get<double>(numbers, "from", where),
                               json_get<double>(numbers, "to", where),
                               json_get<double>(numbers, "step", where)};
  }
  return spec;
}

TaskEntry entry_from_json(const Json& json, const std::string& where) {
  check_keys(json,
             {"name", "family", "description", "metric", "inputs", "target", "labels", "template",
              "example", "licence", "source"},
             where);
  TaskEntry entry;
  entry.task.name = json_get<std::string>(json, "name", where);
  entry.task.family = json_get<std::string>(json, "family", where);
  entry.task.metric = json_get<std::string>(json, "metric", where);
  entry.task.inputs = json_get<std::vector<std::string>>(json, "inputs", where);
  entry.task.target = json_get<std::string>(json, "target", where);
  entry.task.labels = json_get<std::vector<std::string>>(json, "labels", where);
  entry.task.licence = json_get<std::string>(json, "licence", where);
  entry.task.source = json_get<std::string>(json, "source", where);
  entry.description = json_get<std::string>(json, "description", where);
  entry.example = json_get<Json>(json, "example", where);
  if (!entry.example.is_object()) throw_json_type_error("example", where, false);
  const TemplateSpec spec = spec_from_json(json_get<Json>(json, "template", where), where);
  entry.prompt = std::make_shared<PromptTemplate>(spec, entry.task, where);
  try {
    entry.example_prompt();
  } catch (const Error& e) {
    throw Error(e.code(), where + ": the example does not fit the template: " + e.what());
  }
  return entry;
}

}  // namespace

std::string TaskEntry::example_prompt() const {
  return example.empty() ? "" : prompt->render_input(example);
}

void TaskCatalog::add(const Task& task, const PromptLibrary& prompts) {
  TaskEntry entry;
  entry.task = task;
  entry.task.records.clear();
  entry.description = prompts.description_of(task.name);
  entry.example = prompts.example_of(task.name);
  entry.prompt = prompts.templates_of(task).front();
  add(std::move(entry));
}

void TaskCatalog::add(TaskEntry entry) {
  check(!has(entry.task.name), "a catalog holds a task once");
  entries_.push_back(std::move(entry));
}

std::vector<std::string> TaskCatalog::names() const {
  std::vector<std::string> names;
  for (const TaskEntry& entry : entries_) names.push_back(entry.task.name);
  return names;
}

bool TaskCatalog::has(const std::string& name) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const TaskEntry& entry) { return entry.task.name == name; });
}

size_t TaskCatalog::index_of(const std::string& name) const {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].task.name == name) return i;
  }
  throw Error(ExitCode::kMissingInput,
              "the checkpoint knows no task \"" + name + "\"" + name_hint(name, names()));
}

Json TaskCatalog::to_json() const {
  Json tasks = Json::array();
  for (const TaskEntry& entry : entries_) tasks.push_back(entry_to_json(entry));
  return {{"version", kVersion}, {"tasks", std::move(tasks)}};
}

TaskCatalog TaskCatalog::from_json(const Json& json, const std::string& where) {
  TaskCatalog catalog;
  try {
    check_keys(json, {"version", "tasks"}, where);
    const int version = json_get<int>(json, "version", where);
    if (version != kVersion) {
      throw Error(ExitCode::kBadModel, where + ": version " + std::to_string(version) +
                                           "; this program reads version 1");
    }
    const Json tasks = json_get<Json>(json, "tasks", where);
    if (!tasks.is_array()) throw_json_type_error("tasks", where, false);
    for (size_t i = 0; i < tasks.size(); ++i) {
      const std::string place = where + ": task " + std::to_string(i);
      TaskEntry entry = entry_from_json(tasks[i], place);
      if (catalog.has(entry.task.name))
        throw Error(ExitCode::kBadModel, place + ": a second \"" + entry.task.name + "\"");
      catalog.entries_.push_back(std::move(entry));
    }
  } catch (const Error& e) {
    throw Error(ExitCode::kBadModel, e.what());
  }
  return catalog;
}

}  // namespace trivium
