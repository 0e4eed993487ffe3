// trivium task finder: how well a checkpoint finds the tasks of prompts that name none.
#include <memory>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/home.h"
#include "cli/program/json_flag.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/checkpoint/checkpoint.h"
#include "core/data/gym.h"
#include "core/text/table.h"

namespace trivium::cli {
namespace {

struct FinderFlags {
  std::string checkpoint, gym;
  Split records = Split::kDev;
  size_t limit = 20;
  bool train = false, json = false;
};

TaskFinder train_finder(const std::vector<Task>& tasks, const TaskCatalog& catalog) {
  const PromptLibrary prompts(prompts_folder());
  std::vector<TaskFinder::TaskTexts> texts;
  for (const Task& task : tasks) {
    texts.push_back(
        finder_texts(task, prompts.templates_of(task), catalog.find(task.name).description));
  }
  spdlog::info("training on the texts of {} tasks", texts.size());
  return TaskFinder::train(texts);
}

// Of some inputs: how many have the right task, the right family, and are said to fit at all.
struct Found {
  size_t inputs = 0, task = 0, family = 0, fit = 0, family_of_fit = 0;

  void add(const TaskGuess& guess, const Task& right) {
    const bool task_is_right = guess.task == right.name;
    const bool family_is_right = task_is_right || guess.family == right.family;
    ++inputs;
    task += task_is_right;
    family += family_is_right;
    fit += TaskFinder::fits(guess);
    family_of_fit += family_is_right && TaskFinder::fits(guess);
  }
  void add(const Found& other) {
    inputs += other.inputs;
    task += other.task;
    family += other.family;
    fit += other.fit;
    family_of_fit += other.family_of_fit;
  }
  static double share(size_t part, size_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }
  Json to_json(const std::string& name) const {
    return {{"task", name},
            {"inputs", inputs},
            {"task_right", share(task, inputs)},
            {"family_right", share(family, inputs)},
            {"fit", share(fit, inputs)},
            {"family_right_of_fit", share(family_of_fit, fit)}};
  }
};

std::string table_of(const Json& rows, const Json& all) {
  const auto number = [](const Json& value) { return fmt::format("{:.4f}", value.get<double>()); };
  Table table({{"task"},
               {"inputs", Align::kRight},
               {"task right", Align::kRight},
               {"family right", Align::kRight},
               {"fit", Align::kRight},
               {"family right of fit", Align::kRight}});
  const auto add = [&](const Json& row) {
    table.add({row.at("task").get<std::string>(), std::to_string(row.at("inputs").get<size_t>()),
               number(row.at("task_right")), number(row.at("family_right")), number(row.at("fit")),
               number(row.at("family_right_of_fit"))});
  };
  for (const Json& row : rows) add(row);
  add(all);
  return table.to_text();
}

void run_finder(const FinderFlags& flags) {
  if (flags.train && flags.checkpoint.empty()) {
    throw Error(ExitCode::kUsage, "--train changes a checkpoint in place; name it by --checkpoint");
  }
  const std::filesystem::path folder = checkpoint_folder(flags.checkpoint);
  const Gym gym(flags.gym);
  // tasks.json alone is read first: the finder that is there may be of an older version.
  const TaskCatalog catalog = read_task_catalog(folder);
  std::vector<Task> tasks;
  for (const std::string& name : catalog.names()) tasks.push_back(gym.load_task(name));
  if (flags.train) replace_task_finder(folder, train_finder(tasks, catalog));
  const CheckpointInfo info = open_checkpoint(folder).info;
  if (!info.finder) {
    throw Error(ExitCode::kMissingInput, folder.string() + " knows no tasks");
  }
  Json rows = Json::array();
  Found all;
  for (const Task& task : tasks) {
    Found found;
    for (const Record& record : task.records.at(flags.records)) {
      if (found.inputs == flags.limit) break;
      found.add(info.finder->find(bare_input(task.inputs, record), 1).at(0), task);
    }
    all.add(found);
    rows.push_back(found.to_json(task.name));
  }
  write_output(flags.json ? to_json_line({{"tasks", rows}, {"all", all.to_json("all")}}) + "\n"
                          : table_of(rows, all.to_json("all")));
}

}  // namespace

void add_task_finder_command(CLI::App& task) {
  auto flags = std::make_shared<FinderFlags>();
  CLI::App* command =
      task.add_subcommand("finder", "how often the task of a prompt that names none is found");
  add_checkpoint_flag(*command, flags->checkpoint);
  command->add_option("--gym", flags->gym, "gym folder that has the checkpoint's tasks")
      ->required();
  add_choice(*command, "--part-of", flags->records, scored_split_names(), "records to ask about");
  command->add_option("--limit", flags->limit, "records of each task")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  command->add_flag("--train", flags->train, "train the checkpoint's finder anew first, in place");
  add_json_flag(*command, flags->json);
  command->footer(
      "A record's bare input fields are the prompt. A prompt fits where one family of tasks has a\n"
      "probability of 0.4 and more; the REPL and generate answer no other.\n"
      "Example:\n"
      "  trivium task finder --gym ../shared/gym --part-of test");
  command->callback([flags] { run_finder(*flags); });
}

}  // namespace trivium::cli
