#include "cli/repl/repl_session.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "cli/repl/answer_stream.h"
#include "cli/repl/gate_picture.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr size_t kHistoryShown = 50;
constexpr size_t kOptionsShown = 5;

std::string count_of(size_t number, const std::string& noun) {
  return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
}

std::string layers_text(const ModelConfig& config) {
  return std::to_string(config.encoder_layers) + " encoder and " +
         count_of(static_cast<size_t>(config.decoder_layers), "decoder layer");
}

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

void require_no_arguments(const std::string& command, const std::vector<std::string>& arguments) {
  if (!arguments.empty()) throw Error(ExitCode::kUsage, command + " takes no argument");
}

}  // namespace

ReplSession::ReplSession(LoadedModel& model, const LineHistory& history, const TerminalStyle& style,
                         bool streams, const std::atomic<bool>& stop, std::ostream& out)
    : model_(model),
      history_(history),
      style_(style),
      streams_(streams),
      stop_(stop),
      out_(out),
      search_(model.generator().default_search()) {}

void ReplSession::choose_task(const std::string& name) {
  if (!name.empty()) model_.tasks().index_of(name);
  task_ = name;
}

std::string ReplSession::banner() const {
  const ModelConfig& config = model_.config();
  char millions[32];
  std::snprintf(millions, sizeof millions, "%.1f", parameter_count(config) / 1e6);
  std::string facts = std::string(millions) + " million parameters; " + layers_text(config);
  size_t pools = 0;
  for (const LayerPlace& place : places_of(model_.route(-1))) {
    pools += weights_at(model_.route(-1), place).size() > 1;
  }
  facts += pools > 0 ? ", " + std::to_string(pools) + " of them pools of " +
                           count_of(num_experts(model_.route(-1)), "expert")
                     : " (dense: no experts)";
  facts += "; " + count_of(model_.tasks().entries().size(), "task");
  const std::string name = sanitise(model_.folder().string());
  return paint("Trivium", Ink::kBold, style_) + ' ' + name + '\n' +
         paint(wrap(facts, style_), Ink::kDim, style_) + '\n' +
         wrap("Type a text to get an answer; /tasks lists what the model knows, /help the rest.",
              style_) +
         '\n';
}

std::string ReplSession::prompt() const {
  return paint(task_.empty() ? "auto" : sanitise(task_), Ink::kAccent, style_) +
         (style_.utf8 ? " › " : " > ");
}

void ReplSession::run_line(const std::string& line) {
  const ReplLine parsed = parse_repl_line(line);
  if (!parsed.command.empty()) {
    run_command(parsed.command, parsed.arguments);
  } else if (!parsed.prompt.empty()) {
    answer(parsed.prompt);
  }
  out_ << std::flush;
}

void ReplSession::run_command(const std::string& command, const Arguments& arguments) {
  if (command == "/help") {
    out_ << help_text(arguments.empty() ? "" : arguments.front(), model_.route(-1), style_);
  } else if (command == "/task") {
    do_task(arguments);
  } else if (command == "/tasks") {
    do_tasks(arguments);
  } else if (command == "/route") {
    do_route(arguments);
  } else if (command == "/pin") {
    do_pin(arguments);
  } else if (command == "/set") {
    do_set(arguments);
  } else if (command == "/compare") {
    do_compare(arguments);
  } else {
    require_no_arguments(command, arguments);
    if (command == "/why") do_why();
    if (command == "/gates") do_gates();
    if (command == "/history") do_history();
    quits_ = command == "/quit";
  }
}

void ReplSession::say(std::string_view text, Ink ink) {
  out_ << paint(wrap(sanitise(text), style_), ink, style_) << '\n';
}

// --- Answers

void ReplSession::answer(const std::string& text) {
  last_ = model_.resolve(task_, text);
  last_text_ = text;
  if (last_->source == TaskSource::kNearest) say(last_->reason, Ink::kDim);
  if (!last_->fits) {
    last_answer_.clear();
    say("I am not sure what kind of task this is. /tasks lists those that I know; /task " +
            last_->task + " asks the nearest.",
        Ink::kWarning);
    return;
  }
  const Answer answer = generate(pinned_route(last_->prompt.route, pins_));
  last_answer_ = answer.text;
  if (answer.truncated) {
    say("(the prompt is longer than the model reads, and was cut)", Ink::kWarning);
  }
  if (!stop_.load()) show_route(display_);
}

// Answers the last prompt by `route`, and prints it.
Answer ReplSession::generate(const TaskRoute& route) {
  const Prompt prompt{last_->prompt.text, route};
  if (!last_->options.empty() && !search_.sample) {
    return rank_options(prompt);
  }
  AnswerStream stream(out_, style_);
  std::string so_far;  // what a stop leaves
  Answer answer;
  if (search_.num_beams > 1) {
    answer = model_.generator().generate({prompt}, search_).at(0);
  } else {
    answer = model_.generator().stream(prompt, search_, [&](const std::string& text) {
      so_far = text;
      if (streams_) stream.update(text);
      return !stop_.load();
    });
  }
  if (answer.text.empty()) answer.text = so_far;
  if (!answer.text.empty()) stream.finish(answer.text);
  if (stop_.load()) {
    say("(stopped)", Ink::kDim);
  } else if (!answer.finished) {
    say("(cut at max_length=" + std::to_string(search_.max_length) + ")", Ink::kDim);
  } else if (answer.text.empty()) {
    say("(an empty answer)", Ink::kDim);
  }
  return answer;
}

// The likeliest of the last prompt's options, and the shares of the first few of them.
Answer ReplSession::rank_options(const Prompt& prompt) {
  const std::vector<std::string>& options = last_->options;
  const OptionScores scored = model_.generator().score({prompt}, {options}).at(0);
  Answer answer;
  if (stop_.load() || scored.log_likelihoods.empty()) {
    say("(stopped)", Ink::kDim);
    return answer;
  }
  const double best =
      *std::max_element(scored.log_likelihoods.begin(), scored.log_likelihoods.end());
  std::vector<std::pair<double, std::string>> ranked;
  double total = 0;
  for (size_t i = 0; i < options.size(); ++i) {
    ranked.emplace_back(std::exp(scored.log_likelihoods[i] - best), options[i]);
    total += ranked.back().first;
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  answer.text = ranked.front().second;
  answer.score = best;
  answer.finished = true;
  answer.truncated = scored.truncated;
  out_ << sanitise(answer.text) << '\n';
  std::string shares;
  for (size_t i = 0; i < std::min(kOptionsShown, ranked.size()); ++i) {
    char share[16];
    std::snprintf(share, sizeof share, " %.2f", ranked[i].first / total);
    shares += (i > 0 ? ", " : "") + ranked[i].second + share;
  }
  if (ranked.size() > kOptionsShown) {
    shares += ", " + std::to_string(ranked.size() - kOptionsShown) + " more";
  }
  say("(of the task's answers: " + shares + ")", Ink::kDim);
  return answer;
}

// --- Routes

void ReplSession::require_experts() const {
  if (num_experts(model_.route(-1)) > 1) return;
  throw Error(ExitCode::kUsage,
              "this model is dense: every prompt takes the same " + layers_text(model_.config()));
}

const TaskRoute* ReplSession::route_at_hand() const {
  if (last_) return &last_->prompt.route;
  if (task_.empty()) return nullptr;
  return &model_.route(static_cast<int64_t>(model_.tasks().index_of(task_)));
}

void ReplSession::show_route(RouteDisplay display) {
  const TaskRoute* own = route_at_hand();
  if (display == RouteDisplay::kOff || own == nullptr || num_experts(*own) == 1) return;
  const TaskRoute route = pinned_route(*own, pins_);
  const std::string task = last_ ? last_->task : task_;
  const std::string title = task.empty() ? "route" : "route of " + sanitise(task);
  out_ << '\n' << paint(title, Ink::kBold, style_) << '\n';
  out_ << route_picture(route, pins_, style_);
  if (display == RouteDisplay::kFull) out_ << route_in_words(route, style_);
  if (display == RouteDisplay::kFull || !legend_shown_) {
    out_ << paint(route_legend(route, style_), Ink::kDim, style_);
  }
  legend_shown_ = true;
}

void ReplSession::do_route(const Arguments& arguments) {
  require_experts();
  if (arguments.empty()) {
    if (route_at_hand() == nullptr) {
      throw Error(ExitCode::kUsage, "no route to show yet: type a prompt, or choose a /task");
    }
    return show_route(RouteDisplay::kFull);
  }
  const std::string& word = arguments.front();
  if (arguments.size() > 1 || (word != "full" && word != "brief" && word != "off")) {
    throw Error(ExitCode::kUsage, "/route takes full, brief or off");
  }
  display_ = word == "full"    ? RouteDisplay::kFull
             : word == "brief" ? RouteDisplay::kBrief
                               : RouteDisplay::kOff;
  say("routes after answers: " + word, Ink::kDim);
}

void ReplSession::do_pin(const Arguments& arguments) {
  require_experts();
  if (arguments.empty()) {
    for (const Pin& pin : pins_) {
      say(name_of(pin.place) + " takes expert " + std::to_string(pin.expert + 1), Ink::kPlain);
    }
    if (pins_.empty()) say("no pins; /help /pin says how to set one", Ink::kDim);
    return;
  }
  std::vector<Pin> pins = pins_;
  if (arguments.size() == 1 && arguments.front() == "off") {
    if (pins.empty()) return say("there are no pins to remove", Ink::kDim);
    pins.clear();
  } else {
    for (const std::string& argument : arguments) {
      const Pin pin = parse_pin(argument, model_.route(-1));
      std::erase_if(pins, [&](const Pin& old) { return old.place == pin.place; });
      pins.push_back(pin);
    }
  }
  const std::vector<Pin> before = std::exchange(pins_, pins);
  show_change(before);
}

// What the pins that were set, or taken away, changed in the route at hand and the last answer.
void ReplSession::show_change(const std::vector<Pin>& pins_before) {
  const TaskRoute* own = route_at_hand();
  if (own == nullptr) {
    say(count_of(pins_.size(), "pin") + " from the next prompt on", Ink::kDim);
    return;
  }
  const TaskRoute before = pinned_route(*own, pins_before), after = pinned_route(*own, pins_);
  const char* arrow = style_.utf8 ? " → " : " -> ";
  for (const LayerPlace& place : differing_layers(before, after)) {
    const auto expert = [&](const TaskRoute& route) {
      return std::to_string(TaskRoute::main_expert(weights_at(route, place)) + 1);
    };
    say(name_of(place) + ": expert " + expert(before) + arrow + "expert " + expert(after),
        Ink::kPlain);
  }
  if (before == after) {
    say("nothing changes: the route takes these experts anyway", Ink::kDim);
    return;
  }
  if (last_) {
    out_ << paint("before: ", Ink::kDim, style_);
    generate(before);
    if (stop_.load()) return;
    out_ << paint("now:    ", Ink::kDim, style_);
    generate(after);
  }
  show_route(display_);
}

void ReplSession::do_gates() {
  if (model_.config().token_experts.num_experts == 1) {
    throw Error(ExitCode::kUsage,
                "this model has no token gates: its experts, where it has any, are chosen by task "
                "(/route)");
  }
  if (!last_) throw Error(ExitCode::kUsage, "no prompt yet: type one first");
  Engine& engine = model_.generator().engine();
  const Tokenizer& tokenizer = model_.generator().tokenizer();
  const auto longest = static_cast<size_t>(engine.config().max_position_embeddings);
  // What the decoder read: its start token, then its answer.
  const int32_t start_id = engine.config().decoder_start_token_id;
  std::vector<int32_t> read = {start_id};
  const std::vector<int32_t> answer = tokenizer.encode_target(last_answer_, longest, start_id);
  read.insert(read.end(), answer.begin(), answer.end() - 1);  // its end was not read any more
  out_ << gate_picture(
      gate_map(engine, tokenizer, tokenizer.encode_with_special(last_->prompt.text, longest), read,
               last_->prompt.route.gates, last_->task),
      style_);
}

void ReplSession::do_compare(const Arguments& arguments) {
  require_experts();
  if (arguments.size() != 2) {
    throw Error(ExitCode::kUsage, "name two tasks: /compare sst2 mnli; /tasks lists them");
  }
  const TaskCatalog& tasks = model_.tasks();
  const auto route_of = [&](const std::string& name) -> const TaskRoute& {
    return model_.route(static_cast<int64_t>(tasks.index_of(name)));
  };
  out_ << route_comparison(arguments[0], route_of(arguments[0]), arguments[1],
                           route_of(arguments[1]), style_);
}

// --- Tasks

void ReplSession::do_task(const Arguments& arguments) {
  if (arguments.size() > 1) throw Error(ExitCode::kUsage, "/task takes one name, or auto");
  if (!arguments.empty()) {
    choose_task(arguments.front() == "auto" ? "" : arguments.front());
    last_.reset();  // its route is of another task now
  }
  if (!task_.empty()) return describe_task(model_.tasks().find(task_));
  say("auto: each prompt goes to the nearest of " +
          count_of(model_.tasks().entries().size(), "task"),
      Ink::kDim);
}

void ReplSession::describe_task(const TaskEntry& entry) {
  const Task& task = entry.task;
  out_ << paint(sanitise(task.name), Ink::kBold, style_) << '\n';
  const auto line = [&](const std::string& label, const std::string& text) {
    if (text.empty()) return;
    const std::string wrapped = wrap(label + sanitise(text), style_, label.size());
    out_ << paint(label, Ink::kDim, style_) << wrapped.substr(label.size()) << '\n';
  };
  line("", entry.description);
  line("family   ", task.family);
  line("metric   ", task.metric);
  line("answers  ", joined(entry.prompt->fixed_options()));
  line("example  ", typed_example(entry));
}

void ReplSession::do_tasks(const Arguments& arguments) {
  if (arguments.size() > 1) throw Error(ExitCode::kUsage, "/tasks takes one word to filter by");
  const std::string filter = arguments.empty() ? "" : to_lower_ascii(arguments.front());
  std::vector<const TaskEntry*> found;
  size_t widest = 0;
  for (const TaskEntry& entry : model_.tasks().entries()) {
    const std::string text = entry.task.name + ' ' + entry.task.family + ' ' + entry.description;
    if (to_lower_ascii(text).find(filter) == std::string::npos) continue;
    found.push_back(&entry);
    widest = std::max(widest, display_width(sanitise(entry.task.name)));
  }
  for (const TaskEntry* entry : found) {
    const std::string name = pad(sanitise(entry->task.name), widest + 2);
    const size_t room = style_.width > widest + 2 ? style_.width - widest - 2 : 0;
    out_ << name << paint(cut(sanitise(entry->description), room, style_), Ink::kDim, style_)
         << '\n';
  }
  if (model_.tasks().entries().empty()) {
    say("the checkpoint knows no tasks: prompts go to the model as they are", Ink::kDim);
  } else if (found.empty()) {
    say("no task's name, family or description contains \"" + filter + "\"", Ink::kDim);
  } else {
    say(count_of(found.size(), "task") + "; /task NAME chooses one", Ink::kDim);
  }
}

void ReplSession::do_why() {
  if (!last_) throw Error(ExitCode::kUsage, "no prompt yet: type one first");
  if (!model_.finder()) {
    say("the checkpoint knows no tasks: the prompt went to the model as it is", Ink::kPlain);
    return;
  }
  say(last_->source == TaskSource::kNamed
          ? "You named " + last_->task + ". Nearest to the prompt's words are:"
      : last_->fits ? "The prompt went to " + last_->task + ", the nearest of the known tasks:"
                    : "No family of tasks is likely; nearest are:",
      Ink::kPlain);
  const std::vector<TaskGuess> guesses = model_.finder()->find(last_text_, 5);
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
    const std::string line = wrap(head + sanitise(words), style_, widest + 8);
    out_ << line.substr(0, head.size()) << paint(line.substr(head.size()), Ink::kDim, style_)
         << '\n';
  }
  say("(a word's number: what it adds to the task's logit, over the average task's)", Ink::kDim);
}

// --- The rest

void ReplSession::do_set(const Arguments& arguments) {
  SearchOptions search = search_;
  for (const std::string& argument : arguments) change_search(search, argument);
  const int64_t positions = model_.config().max_position_embeddings;
  if (search.max_length > positions) {
    throw Error(ExitCode::kUsage,
                "max_length is at most the model's " + std::to_string(positions) + " positions");
  }
  search_ = search;
  out_ << search_text(search_, style_);
}

void ReplSession::do_history() {
  const std::vector<std::string>& lines = history_.lines();
  const size_t first = lines.size() > kHistoryShown ? lines.size() - kHistoryShown : 0;
  for (size_t i = first; i < lines.size(); ++i) out_ << sanitise(lines[i]) << '\n';
  if (lines.empty()) say("no lines yet", Ink::kDim);
}

}  // namespace trivium::cli
