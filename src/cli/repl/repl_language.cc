#include "cli/repl/repl_language.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <regex>
#include <sstream>
#include <variant>

#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const SlashCommand& command : slash_commands()) names.emplace_back(command.name);
  return names;
}

const SlashCommand& find_command(const std::string& name) {
  for (const SlashCommand& command : slash_commands()) {
    if (name == command.name) return command;
  }
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

// One setting of the search. The bounds are inclusive; whole numbers are checked as such.
struct SearchSetting {
  const char* name;
  std::variant<int*, double*, bool*, uint64_t*> value;
  double min, max;
  const char* help;
};

std::vector<SearchSetting> settings_of(SearchOptions& search) {
  return {{"num_beams", &search.num_beams, 1, 64, "beams; 1 streams the likeliest word by word"},
          {"max_length", &search.max_length, 2, 4096, "longest answer, in tokens"},
          {"sample", &search.sample, 0, 1, "draw each token by its probability: true or false"},
          {"temperature", &search.temperature, 1e-3, 1e3,
           "with sample: below 1 keeps nearer to the likeliest, above 1 strays further"},
          {"top_k", &search.top_k, 0, 1e9, "with sample: only the k likeliest tokens; 0: all"},
          {"top_p", &search.top_p, 1e-6, 1, "with sample: only the likeliest tokens of this mass"},
          {"seed", &search.seed, 0, 1e15, "with sample: of the random numbers"}};
}

std::string shown(const SearchSetting& setting) {
  std::ostringstream text;
  std::visit([&](auto* value) { text << std::boolalpha << *value; }, setting.value);
  return text.str();
}

std::optional<double> parse_number(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void store(const SearchSetting& setting, const std::string& text) {
  if (bool* const* flag = std::get_if<bool*>(&setting.value)) {
    if (text != "true" && text != "false") {
      throw Error(ExitCode::kUsage, std::string(setting.name) + " is true or false");
    }
    **flag = text == "true";
    return;
  }
  const bool whole = !std::holds_alternative<double*>(setting.value);
  const std::optional<double> number = parse_number(text);
  if (!number || !(*number >= setting.min && *number <= setting.max) ||
      (whole && *number != static_cast<double>(static_cast<int64_t>(*number)))) {
    std::ostringstream message;
    message.precision(16);
    message << setting.name << " is a" << (whole ? " whole" : "") << " number from " << setting.min
            << " to " << setting.max;
    throw Error(ExitCode::kUsage, message.str());
  }
  std::visit(
      [&](auto* value) { *value = static_cast<std::remove_pointer_t<decltype(value)>>(*number); },
      setting.value);
}

// A pin of the first layer of each stack that has experts to choose from.
std::string pin_example(const TaskRoute& shape) {
  std::string pins;
  const auto add = [&](const auto& stack, const char* name) {
    const auto pool = std::find_if(stack.begin(), stack.end(),
                                   [](const auto& layer) { return layer.size() > 1; });
    if (pool == stack.end()) return;
    pins += ' ' + std::string(name) + '.' + std::to_string(pool - stack.begin() + 1) + "=2";
  };
  add(shape.encoder, "enc");
  add(shape.decoder, "dec");
  return pins.empty() ? "This model is dense: no layer has a choice." : "Example: /pin" + pins;
}

std::vector<std::string> that_begin_with(const std::string& prefix,
                                         const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& word : words) {
    if (word.starts_with(prefix)) found.push_back(word);
  }
  return found;
}

std::vector<std::string> arguments_of(const std::string& command,
                                      const std::vector<std::string>& tasks) {
  if (command == "/task") {
    std::vector<std::string> words = tasks;
    words.insert(words.begin(), "auto");
    return words;
  }
  if (command == "/compare") return tasks;
  if (command == "/help") return command_names();
  if (command == "/route") return {"full", "brief", "off"};
  if (command == "/pin") return {"enc.", "dec.", "off"};
  std::vector<std::string> words;
  if (command == "/set") {
    SearchOptions search;
    for (const SearchSetting& setting : settings_of(search)) {
      words.push_back(std::string(setting.name) + '=');
    }
  }
  return words;
}

}  // namespace

const std::vector<SlashCommand>& slash_commands() {
  static const std::vector<SlashCommand> commands = {
      {"/help", "[COMMAND]", "this list, or more about a command", ""},
      {"/task", "[NAME|auto]", "choose the task that prompts are for",
       "With a name, every prompt is put into this task's words and takes its route. With auto, "
       "each prompt goes to the task whose texts are nearest to it. Without an argument it shows "
       "the present task."},
      {"/tasks", "[FILTER]", "list the tasks that the model knows",
       "With a filter, only tasks whose name, family or description contains it."},
      {"/route", "[full|brief|off]", "the last route; or what to show of the next ones",
       "brief shows the picture after each answer, full the picture and every weight, off nothing. "
       "Without an argument it shows the last prompt's route (before any prompt, the task's) in "
       "full."},
      {"/pin", "enc|dec.LAYER=EXPERT... | off", "make a layer take an expert of your choice",
       "The layer takes this expert from now on, whatever the task's route says, and the last "
       "prompt "
       "is answered again to show what changed; layers and experts are counted from 1. Without an "
       "argument it lists the pins; off removes them."},
      {"/gates", "", "which expert each token of the last prompt and answer took",
       "For models whose layers have feed-forward experts that gates choose token by token. A "
       "column is a layer; the decoder's tokens are what it had read when it chose."},
      {"/set", "[KEY=VALUE...]", "how to search for an answer",
       "Without an argument it lists the settings and their values."},
      {"/why", "", "why the last prompt went to its task",
       "Shows the nearest tasks with their probabilities and the words that spoke for each."},
      {"/compare", "TASK TASK", "two tasks' routes, and where they differ", ""},
      {"/history", "", "the lines that you entered",
       "Up and Down fetch them back, Ctrl-R searches. They are kept in "
       "$XDG_STATE_HOME/trivium/history (~/.local/state where that is not set) unless the program "
       "was started with --no-history."},
      {"/quit", "", "leave; so does Ctrl-D", ""}};
  return commands;
}

ReplLine parse_repl_line(std::string_view line) {
  const std::string text = replace_invalid_utf8(trim(line));
  ReplLine parsed;
  if (text.starts_with("//")) {
    parsed.prompt = text.substr(1);
  } else if (text.starts_with("/")) {
    parsed.arguments = words_of(text);
    parsed.command = find_command(parsed.arguments.front()).name;
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
    const bool is_pin = found.name == std::string_view("/pin");
    std::string summary = found.summary;
    summary.front() = static_cast<char>(summary.front() - 'a' + 'A');
    return paint(usage_of(found), Ink::kBold, style) + '\n' + wrap(summary + '.' + more, style) +
           '\n' + (is_pin ? pin_example(shape) + '\n' : "");
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
      "//text sends /text to the model. Tab completes, Ctrl-R searches the history, Ctrl-C stops "
      "an "
      "answer, Ctrl-D leaves.";
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

void change_search(SearchOptions& search, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string name = assignment.substr(0, equals);
  if (equals == std::string::npos) {
    throw Error(ExitCode::kUsage, sanitise(assignment) + ": write KEY=VALUE, as num_beams=4");
  }
  std::vector<std::string> names;
  for (const SearchSetting& setting : settings_of(search)) {
    names.emplace_back(setting.name);
    if (name != setting.name) continue;
    store(setting, assignment.substr(equals + 1));
    if (name == "num_beams" && search.num_beams > 1) search.sample = false;
    if (name == "sample" && search.sample) search.num_beams = 1;
    return;
  }
  throw Error(ExitCode::kUsage,
              "unknown setting " + sanitise(name) + " (/set lists them)" + name_hint(name, names));
}

std::string search_text(SearchOptions search, const TerminalStyle& style) {
  std::string text;
  for (const SearchSetting& setting : settings_of(search)) {
    text += pad(std::string(setting.name) + '=' + shown(setting), 20) +
            paint(setting.help, Ink::kDim, style) + '\n';
  }
  return text;
}

Completion complete_repl_line(std::string_view line_to_cursor,
                              const std::vector<std::string>& tasks) {
  if (!line_to_cursor.starts_with('/') || line_to_cursor.starts_with("//")) return {};
  const size_t space = line_to_cursor.find_last_of(" \t");
  if (space == std::string_view::npos) {
    return {line_to_cursor.size(), that_begin_with(std::string(line_to_cursor), command_names())};
  }
  const std::string command = words_of(line_to_cursor).front();
  const std::string word(line_to_cursor.substr(space + 1));
  return {word.size(), that_begin_with(word, arguments_of(command, tasks))};
}

}  // namespace trivium::cli
