#include "cli/repl/task_commands.h"

#include <algorithm>
#include <cstdio>

#include "cli/program/home.h"
#include "cli/repl/route_commands.h"
#include "cli/repl/route_reasons.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

// A field's value as a user would type it; lists are parted by "|".
std::string typed(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  for (const Json& part : value) {
    text += (text.empty() ? "" : " | ") + (part.is_string() ? part.get<std::string>() : "");
  }
  return text;
}

// A task's example as a user would type it: the only field alone, else "field: value" by field.
std::string typed_example(const TaskEntry& entry) {
  const std::vector<std::string>& fields = entry.prompt->input_fields();
  std::string text;
  for (const std::string& field : fields) {
    if (!entry.example.contains(field)) continue;
    if (!text.empty()) text += ' ';
    if (fields.size() > 1) text.append(field).append(": ");
    text += typed(entry.example.at(field));
  }
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

void TaskCommands::choose(const std::string& name) {
  if (!name.empty()) conversation_.model.tasks().index_of(name);
  conversation_.task = name;
}

void TaskCommands::task(const Arguments& arguments) {
  if (arguments.size() > 1) throw Error(ExitCode::kUsage, "/task takes one name, or auto");
  if (!arguments.empty()) {
    choose(arguments.front() == "auto" ? "" : arguments.front());
    conversation_.last.reset();  // its route is of another task now
  }
  if (!conversation_.task.empty())
    return describe(conversation_.model.tasks().find(conversation_.task));
  screen_.say("auto: each prompt goes to the nearest of " +
                  count_of(conversation_.model.tasks().entries().size(), "task"),
              Ink::kDim);
}

void TaskCommands::describe(const TaskEntry& entry) {
  const Task& task = entry.task;
  screen_.out << paint(sanitise(task.name), Ink::kBold, screen_.style) << '\n';
  const auto line = [&](const std::string& label, const std::string& text) {
    if (text.empty()) return;
    const std::string wrapped = wrap(label + sanitise(text), screen_.style, label.size());
    screen_.out << paint(label, Ink::kDim, screen_.style) << wrapped.substr(label.size()) << '\n';
  };
  line("", entry.description);
  line("family   ", task.family);
  line("metric   ", task.metric);
  line("answers  ", joined(entry.prompt->fixed_options()));
  line("example  ", typed_example(entry));
}

void TaskCommands::tasks(const Arguments& arguments) {
  if (arguments.size() > 1) throw Error(ExitCode::kUsage, "/tasks takes one word to filter by");
  const std::string filter = arguments.empty() ? "" : to_lower_ascii(arguments.front());
  std::vector<const TaskEntry*> found;
  size_t widest = 0;
  for (const TaskEntry& entry : conversation_.model.tasks().entries()) {
    const std::string text = entry.task.name + ' ' + entry.task.family + ' ' + entry.description;
    if (to_lower_ascii(text).find(filter) == std::string::npos) continue;
    found.push_back(&entry);
    widest = std::max(widest, display_width(sanitise(entry.task.name)));
  }
  for (const TaskEntry* entry : found) {
    const std::string name = pad(sanitise(entry->task.name), widest + 2);
    const size_t room = screen_.style.width > widest + 2 ? screen_.style.width - widest - 2 : 0;
    screen_.out << name
                << paint(cut(sanitise(entry->description), room, screen_.style), Ink::kDim,
                         screen_.style)
                << '\n';
  }
  if (conversation_.model.tasks().entries().empty()) {
    screen_.say("the checkpoint knows no tasks: prompts go to the model as they are", Ink::kDim);
  } else if (found.empty()) {
    screen_.say("no task's name, family or description contains \"" + filter + "\"", Ink::kDim);
  } else {
    screen_.say(count_of(found.size(), "task") + "; /task NAME chooses one", Ink::kDim);
  }
}

void TaskCommands::why() {
  const ResolvedPrompt& asked = conversation_.last_prompt().resolved;
  const LoadedModel& model = conversation_.model;
  if (model.finder()) {
    show_guesses();
  } else {
    screen_.say("the checkpoint knows no tasks: the prompt went to the model as it is");
  }
  if (!asked.fits || asked.row < 0 || num_experts(asked.prompt.route) == 1) return;
  if (model.is_added(asked.row)) {
    return screen_.say(asked.prompt.route.own
                           ? asked.task +
                                 " was added, and answers with experts of its own: the "
                                 "last of each layer that has one (/route shows them)"
                           : asked.task + " was added, and takes the route of its nearest tasks");
  }
  screen_.out << route_reasons(model.route_dump(), asked.task,
                               home_folder() / "configs" / "task_features.toml", screen_.style);
}

void TaskCommands::show_guesses() {
  const ResolvedPrompt& asked = conversation_.last->resolved;
  screen_.say(asked.source == TaskSource::kNamed
                  ? "You named " + asked.task + ". Nearest to the prompt's words are:"
              : asked.fits
                  ? "The prompt went to " + asked.task + ", the nearest of the known tasks:"
                  : "No family of tasks is likely; nearest are:");
  const std::vector<TaskGuess> guesses =
      conversation_.model.finder()->find(conversation_.last->text, 5);
  size_t widest = 0;
  for (const TaskGuess& guess : guesses) widest = std::max(widest, display_width(guess.task));
  for (const TaskGuess& guess : guesses) {
    std::string words;
    for (const auto& [word, logit] : guess.words) {
      char added[32];
      std::snprintf(added, sizeof added, " +%.2g", logit);
      words += (words.empty() ? "" : ", ") + word + added;
    }
    char probability[16];
    std::snprintf(probability, sizeof probability, "  %.2f  ", guess.probability);
    const std::string head = pad(sanitise(guess.task), widest) + probability;
    const std::string line = wrap(head + sanitise(words), screen_.style, widest + 8);
    screen_.out << line.substr(0, head.size())
                << paint(line.substr(head.size()), Ink::kDim, screen_.style) << '\n';
  }
  screen_.say("(a word's number: what it adds to the task's logit, over the average task's)",
              Ink::kDim);
}

}  // namespace trivium::cli
