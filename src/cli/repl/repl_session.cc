#include "cli/repl/repl_session.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "cli/repl/search_settings.h"
#include "cli/repl/session_file.h"
#include "core/base/error.h"
#include "core/base/file.h"

namespace trivium::cli {
namespace {

constexpr size_t kHistoryShown = 50;

void require_no_arguments(const ReplLine& line) {
  if (line.arguments.empty()) return;
  for (const SlashCommand& command : slash_commands()) {
    if (line.command == command.command) {
      throw Error(ExitCode::kUsage, std::string(command.name) + " takes no argument");
    }
  }
}

void require_file(const std::string& file, const std::string& command) {
  if (file.empty()) throw Error(ExitCode::kUsage, "name a file: " + command + " session.jsonl");
}

}  // namespace

ReplSession::ReplSession(LoadedModel& model, const LineHistory& history, const TerminalStyle& style,
                         Reader reader, const std::atomic<bool>& stop, std::ostream& out)
    : history_(history),
      reader_(reader),
      screen_{out, style},
      conversation_{model, model.generator().default_search(), "", {}, RouteDisplay::kBrief, {},
                    {}},
      answerer_(conversation_, screen_, reader == Reader::kPerson, stop),
      routes_(conversation_, answerer_, screen_),
      tasks_(conversation_, screen_),
      teaching_(conversation_, screen_) {}

std::string ReplSession::banner() const {
  const LoadedModel& model = conversation_.model;
  const ModelConfig& config = model.config();
  char millions[32];
  std::snprintf(millions, sizeof millions, "%.1f", parameter_count(config) / 1e6);
  std::string facts = std::string(millions) + " million parameters; " + layers_text(config);
  size_t pools = 0;
  for (const LayerPlace& place : places_of(model.route(-1))) {
    pools += weights_at(model.route(-1), place).size() > 1;
  }
  facts += pools > 0 ? ", " + std::to_string(pools) + " of them pools of " +
                           count_of(num_experts(model.route(-1)), "expert")
                     : " (dense: no experts)";
  facts += "; " + count_of(model.tasks().entries().size(), "task");
  const std::string name = sanitise(model.folder().string());
  return paint("Trivium", Ink::kBold, screen_.style) + ' ' + name + '\n' +
         paint(wrap(facts, screen_.style), Ink::kDim, screen_.style) + '\n' +
         wrap("Type a text to get an answer; /tasks lists what the model knows, /help the rest.",
              screen_.style) +
         '\n';
}

std::string ReplSession::prompt() const {
  if (lines_.goes_on()) return "... ";
  const std::string task = conversation_.task.empty() ? "auto" : sanitise(conversation_.task);
  const std::string name =
      teaching_.collects() ? "example " + std::to_string(teaching_.examples() + 1) : task;
  return paint(name, Ink::kAccent, screen_.style) + (screen_.style.utf8 ? " › " : " > ");
}

void ReplSession::run_line(const std::string& line) {
  if (teaching_.collects()) {
    teaching_.add_example(line);
    if (!teaching_.collects() && reader_ == Reader::kPipe) screen_.out << teaching_.wait();
  } else if (const std::optional<ReplLine> whole = lines_.add(line)) {
    if (whole->command) {
      run_command(*whole);
    } else if (!whole->prompt.empty()) {
      ask(whole->prompt);
    }
  }
  screen_.out << std::flush;
}

void ReplSession::drop_begun() {
  lines_.drop();
  teaching_.drop_examples();
}

void ReplSession::end_input() const {
  if (!has_begun()) return;
  throw Error(ExitCode::kBadData, lines_.goes_on()
                                      ? "the input ends within a prompt of several lines"
                                      : "the input ends within examples; an empty line ends them");
}

void ReplSession::run_command(const ReplLine& line) {
  const Arguments& arguments = line.arguments;
  switch (*line.command) {
    case ReplCommand::kHelp:
      screen_.out << help_text(arguments.empty() ? "" : arguments.front(),
                               conversation_.model.route(-1), screen_.style);
      return;
    case ReplCommand::kTask:
      return tasks_.task(arguments);
    case ReplCommand::kTasks:
      return tasks_.tasks(arguments);
    case ReplCommand::kScore:
      return answerer_.score(line.rest);
    case ReplCommand::kRoute:
      return routes_.route(arguments);
    case ReplCommand::kPin:
      return routes_.pin(arguments);
    case ReplCommand::kDisable:
      return routes_.disable(arguments);
    case ReplCommand::kCompare:
      return routes_.compare(arguments);
    case ReplCommand::kTeach:
      return teach(line);
    case ReplCommand::kSet:
      return set(arguments);
    case ReplCommand::kSave:
    case ReplCommand::kSaveOver:
      return save(line.rest, line.command == ReplCommand::kSaveOver);
    case ReplCommand::kLoad:
      return load(line.rest);
    default:
      break;
  }
  require_no_arguments(line);
  if (line.command == ReplCommand::kRegen && answerer_.ask_again()) {
    routes_.show_route(conversation_.display);
  }
  if (line.command == ReplCommand::kWhy) tasks_.why();
  if (line.command == ReplCommand::kGates) routes_.gates();
  if (line.command == ReplCommand::kShow) show();
  if (line.command == ReplCommand::kHistory) list_history();
  if (line.command == ReplCommand::kClear) clear();
  quits_ = line.command == ReplCommand::kQuit;
}

void ReplSession::ask(const std::string& text) {
  if (answerer_.ask(text)) routes_.show_route(conversation_.display);
}

void ReplSession::teach(const ReplLine& line) {
  teaching_.run(line.arguments, line.rest);
  if (reader_ == Reader::kPipe) screen_.out << teaching_.wait();
}

void ReplSession::set(const Arguments& arguments) {
  SearchOptions search = conversation_.search;
  for (const std::string& argument : arguments) change_search(search, argument);
  check_length(search, conversation_.model.config());
  conversation_.search = search;
  screen_.out << search_text(search, screen_.style);
}

void ReplSession::show() {
  const auto line = [&](const std::string& label, const std::string& text) {
    const std::string wrapped = wrap(label + sanitise(text), screen_.style, label.size());
    screen_.out << paint(label, Ink::kDim, screen_.style) << wrapped.substr(label.size()) << '\n';
  };
  std::string settings, pins;
  const Json search = search_to_json(conversation_.search);
  for (const auto& [name, value] : search.items()) {
    settings += (settings.empty() ? "" : ", ") + name + '=' + value.dump();
  }
  for (const Pin& pin : conversation_.pins) {
    pins += (pins.empty() ? "" : ", ") + name_of(pin.place) + " takes expert " +
            std::to_string(pin.expert + 1);
  }
  line("model     ", conversation_.model.folder().string());
  line("task      ", conversation_.task.empty() ? "auto: the nearest" : conversation_.task);
  line("settings  ", settings);
  line("pins      ", pins.empty() ? "none" : pins);
  line("said      ", count_of(conversation_.exchanges.size(), "exchange"));
  if (conversation_.last) line("prompt    ", conversation_.last->text);
  if (const std::string status = teaching_.status(); !status.empty()) line("", status);
}

void ReplSession::save(const std::string& file, bool over) {
  require_file(file, over ? "/save!" : "/save");
  if (!over && std::filesystem::exists(file)) {
    throw Error(ExitCode::kExists,
                sanitise(file) + " exists; /save! " + sanitise(file) + " writes over it");
  }
  write_file_atomically(file, session_text(conversation_));
  screen_.say("wrote " + count_of(conversation_.exchanges.size(), "exchange") + " to " + file,
              Ink::kDim);
}

void ReplSession::load(const std::string& file) {
  require_file(file, "/load");
  StoredSession stored = read_session(file, conversation_);
  std::optional<Asked> last;
  if (!stored.exchanges.empty()) {
    const Exchange& exchange = stored.exchanges.back();
    const std::string task = exchange.source == TaskSource::kNamed ? exchange.task : "";
    last =
        Asked{conversation_.model.resolve(task, exchange.prompt), exchange.prompt, exchange.answer};
  }
  conversation_.task = std::move(stored.task);
  conversation_.search = stored.search;
  conversation_.pins = std::move(stored.pins);
  conversation_.exchanges = std::move(stored.exchanges);
  conversation_.last = std::move(last);
  screen_.say("read " + count_of(conversation_.exchanges.size(), "exchange") + " from " + file,
              Ink::kDim);
  show();
}

void ReplSession::list_history() {
  const std::vector<std::string>& lines = history_.lines();
  const size_t first = lines.size() > kHistoryShown ? lines.size() - kHistoryShown : 0;
  for (size_t i = first; i < lines.size(); ++i) screen_.out << sanitise(lines[i]) << '\n';
  if (lines.empty()) screen_.say("no lines yet", Ink::kDim);
}

void ReplSession::clear() {
  conversation_.last.reset();
  conversation_.exchanges.clear();
  // The cursor goes home; the screen and what was scrolled out of it are cleared.
  if (screen_.style.moves) screen_.out << "\x1b[H\x1b[2J\x1b[3J";
  screen_.say("what was said is forgotten", Ink::kDim);
}

}  // namespace trivium::cli
