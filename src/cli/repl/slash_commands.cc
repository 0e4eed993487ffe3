#include "cli/repl/slash_commands.h"

#include <algorithm>
#include <iterator>
#include <regex>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr SlashCommand kCommands[] = {
    {ReplCommand::kHelp, "/help", "[COMMAND]", "this list, or more about a command", ""},
    {ReplCommand::kTask, "/task", "[NAME|auto]", "choose the task that prompts are for",
     "With a name, every prompt is put into this task's words and takes its route. With auto, "
     "each prompt goes to the task whose texts are nearest to it. Without an argument it shows "
     "the present task."},
    {ReplCommand::kTasks, "/tasks", "[FILTER]", "list the tasks that the model knows",
     "With a filter, only tasks whose name, family or description contains it."},
    {ReplCommand::kRegen, "/regen", "", "ask the last prompt again",
     "With sample=true it draws another answer, by the next seed."},
    {ReplCommand::kScore, "/score", "TEXT | TEXT...", "rank texts as answers to the last prompt",
     "Each text is scored on the last prompt's route, pins included: its share among these "
     "texts, and its log-likelihood, summed over its tokens and its end."},
    {ReplCommand::kRoute, "/route", "[full|brief|off]",
     "the last route; or what to show of the next ones",
     "brief shows the picture after each answer, full the picture and every weight, off nothing. "
     "Without an argument it shows the last prompt's route (before any prompt, the task's) in "
     "full."},
    {ReplCommand::kPin, "/pin", "enc|dec.LAYER=EXPERT... | off",
     "make a layer take an expert of your choice",
     "The layer takes this expert from now on, whatever the task's route says, and the last "
     "prompt is answered again to show what changed; layers and experts are counted from 1. "
     "Without an argument it lists the pins; off removes them."},
    {ReplCommand::kDisable, "/disable", "enc|dec.LAYER=EXPERT...",
     "take experts out of the last prompt's route, once",
     "The last prompt is answered without these experts, to show what they do: a layer that "
     "takes one expert takes the task's next likeliest, one that mixes several shares its "
     "weight out among the others, as trivium routes disable does. It lasts for this one "
     "answer; /pin makes a choice stay."},
    {ReplCommand::kGates, "/gates", "",
     "which expert each token of the last prompt and answer took",
     "For models whose layers have feed-forward experts that gates choose token by token. A "
     "column is a layer; the decoder's tokens are what it had read when it chose."},
    {ReplCommand::kWhy, "/why", "", "why the last prompt went to its task, and what its route says",
     "Shows the nearest tasks with their probabilities and the words that spoke for each; the "
     "tasks whose routes are nearest to the prompt's; and which families and kinds of tasks go "
     "with the experts that it took (Pearson's r over the model's tasks, p < 0.01)."},
    {ReplCommand::kCompare, "/compare", "TASK TASK",
     "two tasks' routes, and their answers to the last prompt", ""},
    {ReplCommand::kTeach, "/teach", "NAME [FILE] | off", "teach the model a new task from examples",
     "FILE is a table of examples: CSV, TSV or JSONL. Without a file, "
     "type each as INPUT => ANSWER; an empty line ends them. The task gets experts of its own, by "
     "trivium task add, while you go on asking; all other tasks answer as before. Without an "
     "argument it says how far it is; off stops it, and so does leaving."},
    {ReplCommand::kSet, "/set", "[KEY=VALUE...]", "how to search for an answer",
     "Without an argument it lists the settings and their values."},
    {ReplCommand::kShow, "/show", "", "model, task, settings and pins at hand", ""},
    {ReplCommand::kSave, "/save", "FILE", "write this conversation to a file",
     "JSON Lines: a line with task, settings and pins, then a line for each prompt with its "
     "task, route, answer, score and settings. A file that is there stays; /save! writes over "
     "it."},
    {ReplCommand::kSaveOver, "/save!", "FILE", "the same, over a file that is there", ""},
    {ReplCommand::kLoad, "/load", "FILE", "go on where /save stopped",
     "Task, settings, pins and what was said are then the file's."},
    {ReplCommand::kHistory, "/history", "", "the lines that you entered",
     "Up and Down fetch them back, Ctrl-R searches. They are kept in "
     "$XDG_STATE_HOME/trivium/history (~/.local/state where that is not set) unless the program "
     "was started with --no-history."},
    {ReplCommand::kClear, "/clear", "", "clear the screen, and forget what was said",
     "Task, settings and pins stay."},
    {ReplCommand::kQuit, "/quit", "", "leave; so does Ctrl-D", ""}};

const SlashCommand& find_command(const std::string& name) {
  if (const SlashCommand* command = command_named(name)) return *command;
  throw Error(ExitCode::kUsage, "unknown command " + sanitise(name) +
                                    " (/help lists them, // begins a prompt with a slash)" +
                                    did_you_mean(name, command_names()));
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string usage_of(const SlashCommand& command) {
  return std::string(command.name) + (*command.arguments != '\0' ? " " : "") + command.arguments;
}

// A pin of the first layer of each stack that has experts to choose from.
std::string pin_example(const std::string& command, const TaskRoute& shape) {
  std::string pins;
  const auto add = [&](const auto& stack, const char* name) {
    const auto pool = std::find_if(stack.begin(), stack.end(),
                                   [](const auto& layer) { return layer.size() > 1; });
    if (pool == stack.end()) return;
    pins += ' ' + std::string(name) + '.' + std::to_string(pool - stack.begin() + 1) + "=2";
  };
  add(shape.encoder, "enc");
  add(shape.decoder, "dec");
  return pins.empty() ? "This model is dense: no layer has a choice."
                      : "Example: " + command + pins;
}

}  // namespace

const std::vector<SlashCommand>& slash_commands() {
  static const std::vector<SlashCommand> commands(std::begin(kCommands), std::end(kCommands));
  return commands;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const SlashCommand& command : slash_commands()) names.emplace_back(command.name);
  return names;
}

const SlashCommand* command_named(std::string_view name) {
  const auto& all = slash_commands();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return name == each.name; });
  return found == all.end() ? nullptr : &*found;
}

ReplLine parse_repl_line(std::string_view line) {
  const std::string text = replace_invalid_utf8(trim(line));
  ReplLine parsed;
  if (text.starts_with("//")) {
    parsed.prompt = text.substr(1);
  } else if (text.starts_with("/")) {
    parsed.arguments = words_of(text);
    parsed.command = find_command(parsed.arguments.front()).command;
    parsed.rest = trim(std::string_view(text).substr(parsed.arguments.front().size()));
    parsed.arguments.erase(parsed.arguments.begin());
  } else {
    parsed.prompt = text;
  }
  return parsed;
}

std::string help_text(const std::string& command, const TaskRoute& shape,
                      const TerminalStyle& style) {
  if (!command.empty()) {
    const SlashCommand& found = find_command(command.starts_with('/') ? command : '/' + command);
    const std::string more = *found.help != '\0' ? std::string(" ") + found.help : "";
    const bool has_example =
        found.command == ReplCommand::kPin || found.command == ReplCommand::kDisable;
    std::string summary = found.summary;
    summary.front() = static_cast<char>(summary.front() - 'a' + 'A');
    return paint(usage_of(found), Ink::kBold, style) + '\n' + wrap(summary + '.' + more, style) +
           '\n' + (has_example ? pin_example(found.name, shape) + '\n' : "");
  }
  std::string text = wrap("Type a text and the model answers it. Commands:", style) + '\n';
  size_t widest = 0;
  for (const SlashCommand& each : slash_commands()) {
    widest = std::max(widest, usage_of(each).size());
  }
  const bool narrow = style.width < 72;
  for (const SlashCommand& each : slash_commands()) {
    const std::string usage = usage_of(each);
    text += paint(usage, Ink::kBold, style);
    if (narrow) {
      text += '\n' + wrap("    " + std::string(each.summary), style, 4) + '\n';
    } else {
      const std::string line = wrap(pad(usage, widest) + "  " + each.summary, style, widest + 2);
      text += line.substr(usage.size()) + '\n';
    }
  }
  const char* keys =
      "//text sends /text to the model. \"\"\" begins and ends a prompt of several lines, a \\ at "
      "a "
      "line's end goes on in the next. Tab completes, Ctrl-R searches the history, Ctrl-G opens "
      "$VISUAL or $EDITOR on the line, Ctrl-C stops an answer, Ctrl-D leaves.";
  return text + wrap(keys, style) + '\n';
}

Pin parse_pin(const std::string& text, const TaskRoute& shape) {
  static const std::regex kForm("(e|enc|encoder|d|dec|decoder)\\.?([0-9]{1,6})=([0-9]{1,6})");
  std::smatch match;
  if (text.size() > 64 || !std::regex_match(text, match, kForm)) {
    throw Error(
        ExitCode::kUsage,
        sanitise(text) + " is no pin; write enc.3=2 for the encoder's layer 3 and expert 2");
  }
  Pin pin;
  pin.place.in_decoder = match[1].str().front() == 'd';
  const size_t layer = std::stoul(match[2]), expert = std::stoul(match[3]);
  const auto& stack = pin.place.in_decoder ? shape.decoder : shape.encoder;
  const std::string name = pin.place.in_decoder ? "decoder" : "encoder";
  if (layer < 1 || layer > stack.size()) {
    throw Error(ExitCode::kUsage,
                "the " + name + " has the layers 1 to " + std::to_string(stack.size()));
  }
  const size_t experts = stack[layer - 1].size();
  pin.place.layer = layer - 1;
  if (experts == 1) {
    throw Error(ExitCode::kUsage, name_of(pin.place) + " is an ordinary layer: nothing to choose");
  }
  if (expert < 1 || expert > experts) {
    throw Error(ExitCode::kUsage,
                name_of(pin.place) + " has the experts 1 to " + std::to_string(experts));
  }
  pin.expert = expert - 1;
  return pin;
}

}  // namespace trivium::cli
