// trivium task list, show, remove: what a checkpoint knows of tasks.
#include <memory>

#include "cli/batch/batch.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/json_flag.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/checkpoint/added_task.h"
#include "core/checkpoint/checkpoint.h"
#include "core/text/display_text.h"
#include "core/text/table.h"

namespace trivium::cli {
namespace {

// --- trivium task list

struct ListFlags {
  std::string checkpoint;
  bool json = false;
};

const char* routes_of(const ModelConfig& config) {
  if (config.routing.num_experts <= 1) return "none (dense)";
  return config.routing.route_source == RouteSource::kRouter ? "router" : "table";
}

// A checkpoint and the tasks that were added to it. Says which of those cannot be used.
struct KnownTasks {
  explicit KnownTasks(const std::string& folder)
      : open(open_checkpoint(folder)), added(folder, open) {
    for (const auto& [name, problem] : added.problems()) spdlog::warn("{}", problem);
  }
  OpenCheckpoint open;
  AddedTasks added;
};

void run_list(const ListFlags& flags) {
  const KnownTasks known(checkpoint_folder(flags.checkpoint));
  const char* routes = routes_of(known.open.info.config);
  Json tasks = Json::array();
  Table table({{"task"}, {"family"}, {"metric"}, {"description"}});
  const auto add = [&](const TaskEntry& entry, bool was_added) {
    tasks.push_back({{"task", entry.task.name},
                     {"family", entry.task.family},
                     {"metric", entry.task.metric},
                     {"labels", entry.task.labels},
                     {"description", entry.description},
                     {"added", was_added}});
    table.add({entry.task.name, was_added ? "(added)" : entry.task.family, entry.task.metric,
               entry.description});
  };
  for (const TaskEntry& entry : known.open.info.tasks.entries()) add(entry, false);
  for (const auto& task : known.added.tasks()) add(task->entry, true);
  write_output(flags.json ? to_json_line({{"routes", routes}, {"tasks", tasks}}) + "\n"
                          : fmt::format("{} tasks; routes: {}\n\n{}", tasks.size(), routes,
                                        table.to_text()));
}

// --- trivium task show

struct ShowFlags {
  std::string checkpoint, name;
  bool json = false;
};

Json described(const TaskEntry& entry) {
  return {{"task", entry.task.name},       {"family", entry.task.family},
          {"metric", entry.task.metric},   {"source", entry.task.source},
          {"licence", entry.task.licence}, {"description", entry.description},
          {"labels", entry.task.labels},   {"example", entry.example_prompt()}};
}

void run_show(const ShowFlags& flags) {
  const KnownTasks known(checkpoint_folder(flags.checkpoint));
  TaskCatalog tasks = known.open.info.tasks;
  const auto trained = static_cast<int64_t>(tasks.entries().size());
  for (const auto& task : known.added.tasks()) tasks.add(task->entry);
  const auto row = static_cast<int64_t>(tasks.index_of(flags.name));
  Json json = described(tasks.find(flags.name));
  json["route"] = route_summary(
      row < trained ? known.open.route(row)
                    : known.added.tasks().at(static_cast<size_t>(row - trained))->route);
  json["added"] = row >= trained;
  if (flags.json) return write_output(to_json_line(json) + "\n");
  std::string text;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null() || value.empty() || value == "") continue;
    const std::string shown = value.is_string() ? value.get<std::string>() : to_json_line(value);
    text += fmt::format("{:<12} {}\n", key, sanitise(shown));
  }
  write_output(text);
}

void add_list(CLI::App& task) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* command = task.add_subcommand("list", "the tasks that a checkpoint knows");
  add_checkpoint_flag(*command, flags->checkpoint);
  add_json_flag(*command, flags->json);
  command->footer("Example:\n  trivium task list");
  command->callback([flags] { run_list(*flags); });
}

void add_show(CLI::App& task) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* command = task.add_subcommand("show", "what a checkpoint knows of one task");
  command->add_option("name", flags->name, "the task")->required();
  add_checkpoint_flag(*command, flags->checkpoint);
  add_json_flag(*command, flags->json);
  command->footer(
      "A route has the expert of each layer, counted from 1; 0 stands for an ordinary "
      "layer.\nExample:\n  trivium task show sst2");
  command->callback([flags] { run_show(*flags); });
}

// --- trivium task remove

void add_remove(CLI::App& task) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* command =
      task.add_subcommand("remove", "take away a task that was added to a checkpoint");
  command->add_option("name", flags->name, "the task")->required();
  add_checkpoint_flag(*command, flags->checkpoint);
  command->footer(
      "All other tasks stay as they are. Programs that answer meanwhile do so to their end; a\n"
      "server knows the task no longer.\nExample:\n  trivium task remove tone");
  command->callback([flags] {
    const std::string folder = checkpoint_folder(flags->checkpoint);
    remove_added_task(folder, flags->name);
    write_output("took " + flags->name + " away from " + folder + "\n");
  });
}

}  // namespace

void add_task_command(CLI::App& app) {
  CLI::App* task = app.add_subcommand(
      "task", "list, show, add and remove tasks, find a prompt's task, make task vectors");
  task->require_subcommand(1);
  add_list(*task);
  add_show(*task);
  add_remove(*task);
  add_task_finder_command(*task);
  task->footer("Example:\n  trivium task show sst2");
}

}  // namespace trivium::cli
