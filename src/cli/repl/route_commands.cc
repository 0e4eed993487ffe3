#include "cli/repl/route_commands.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/repl/gate_picture.h"
#include "cli/repl/slash_commands.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/routes/expert_removal.h"

namespace trivium::cli {
namespace {

std::string in_figures(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", number);
  return text;
}

// Two texts beside one another, each wrapped in its half of the screen.
std::string side_by_side(const std::string& left, const std::string& right,
                         const TerminalStyle& style) {
  constexpr size_t kGap = 3;
  TerminalStyle half = style;
  half.width = std::max<size_t>(style.width, 20) / 2 - kGap;
  const auto lines_of = [&](const std::string& text) {
    std::vector<std::string> lines;
    for (const std::string& paragraph : split(sanitise(text), '\n')) {
      for (const std::string& line : split(wrap(paragraph, half), '\n')) {
        lines.push_back(cut(line, half.width, half));
      }
    }
    return lines;
  };
  const std::vector<std::string> a = lines_of(left), b = lines_of(right);
  std::string text;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    std::string line = pad(i < a.size() ? a[i] : "", half.width + kGap);
    if (i < b.size()) line += b[i];
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace

std::string count_of(size_t number, const std::string& noun) {
  return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
}

std::string layers_text(const ModelConfig& config) {
  return std::to_string(config.encoder_layers) + " encoder and " +
         count_of(static_cast<size_t>(config.decoder_layers), "decoder layer");
}

void RouteCommands::require_experts() const {
  if (num_experts(shape_at_hand()) > 1) return;
  throw Error(ExitCode::kUsage, "this model is dense: every prompt takes the same " +
                                    layers_text(conversation_.model.config()));
}

const TaskRoute& RouteCommands::shape_at_hand() const {
  const TaskRoute* own = route_at_hand();
  return own == nullptr ? conversation_.model.route(-1) : *own;
}

const TaskRoute* RouteCommands::route_at_hand() const {
  if (conversation_.last) return &conversation_.last->resolved.prompt.route;
  if (conversation_.task.empty()) return nullptr;
  const LoadedModel& model = conversation_.model;
  return &model.route(static_cast<int64_t>(model.tasks().index_of(conversation_.task)));
}

void RouteCommands::show_route(RouteDisplay display) {
  const TaskRoute* own = route_at_hand();
  if (display == RouteDisplay::kOff || own == nullptr || num_experts(*own) == 1) return;
  const TerminalStyle& style = screen_.style;
  const TaskRoute route = pinned_route(*own, conversation_.pins);
  const std::string task =
      conversation_.last ? conversation_.last->resolved.task : conversation_.task;
  const std::string title = task.empty() ? "route" : "route of " + sanitise(task);
  screen_.out << '\n' << paint(title, Ink::kBold, style) << '\n';
  screen_.out << route_picture(route, conversation_.pins, style);
  if (display == RouteDisplay::kFull) screen_.out << route_in_words(route, style);
  if (display == RouteDisplay::kFull || !legend_shown_) {
    screen_.out << paint(route_legend(route, style), Ink::kDim, style);
  }
  legend_shown_ = true;
}

void RouteCommands::route(const Arguments& arguments) {
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
  conversation_.display = word == "full"    ? RouteDisplay::kFull
                          : word == "brief" ? RouteDisplay::kBrief
                                            : RouteDisplay::kOff;
  screen_.say("routes after answers: " + word, Ink::kDim);
}

void RouteCommands::pin(const Arguments& arguments) {
  require_experts();
  if (arguments.empty()) {
    for (const Pin& pin : conversation_.pins) {
      screen_.say(name_of(pin.place) + " takes expert " + std::to_string(pin.expert + 1));
    }
    if (conversation_.pins.empty()) {
      screen_.say("no pins; /help /pin says how to set one", Ink::kDim);
    }
    return;
  }
  std::vector<Pin> pins = conversation_.pins;
  if (arguments.size() == 1 && arguments.front() == "off") {
    if (pins.empty()) return screen_.say("there are no pins to remove", Ink::kDim);
    pins.clear();
  } else {
    for (const std::string& argument : arguments) {
      const Pin pin = parse_pin(argument, shape_at_hand());
      std::erase_if(pins, [&](const Pin& old) { return old.place == pin.place; });
      pins.push_back(pin);
    }
  }
  const std::vector<Pin> before = std::exchange(conversation_.pins, pins);
  show_change(before);
}

// A line for each layer that takes another expert first.
std::string RouteCommands::experts_changed(const TaskRoute& before, const TaskRoute& after) const {
  const char* arrow = screen_.style.utf8 ? " → " : " -> ";
  std::string text;
  for (const LayerPlace& place : differing_layers(before, after)) {
    const auto expert = [&](const TaskRoute& route) {
      return "expert " + std::to_string(TaskRoute::main_expert(weights_at(route, place)) + 1);
    };
    text += name_of(place) + ": " + expert(before) + arrow + expert(after) + '\n';
  }
  return text;
}

// What the pins that were set, or taken away, changed in the route at hand and the last answer.
void RouteCommands::show_change(const std::vector<Pin>& pins_before) {
  const TaskRoute* own = route_at_hand();
  if (own == nullptr) {
    screen_.say(count_of(conversation_.pins.size(), "pin") + " from the next prompt on", Ink::kDim);
    return;
  }
  const TaskRoute before = pinned_route(*own, pins_before);
  const TaskRoute after = pinned_route(*own, conversation_.pins);
  screen_.out << experts_changed(before, after);
  if (before == after) {
    screen_.say("nothing changes: the route takes these experts anyway", Ink::kDim);
    return;
  }
  if (conversation_.last) {
    screen_.out << paint("before: ", Ink::kDim, screen_.style);
    answerer_.show(conversation_.last->resolved, before);
    if (answerer_.is_stopped()) return;
    screen_.out << paint("now:    ", Ink::kDim, screen_.style);
    answerer_.show(conversation_.last->resolved, after);
  }
  show_route(conversation_.display);
}

void RouteCommands::disable(const Arguments& arguments) {
  require_experts();
  const ResolvedPrompt& asked = conversation_.last_prompt().resolved;
  if (arguments.empty()) {
    throw Error(ExitCode::kUsage, "name experts to go without, as /disable enc.3=2");
  }
  const TaskRoute before = pinned_route(asked.prompt.route, conversation_.pins);
  TaskRoute after = before;
  for (const std::string& argument : arguments) {
    const LoadedModel& model = conversation_.model;
    const Pin removed = parse_pin(argument, asked.prompt.route);
    after = route_without(model.config().routing, model.likely_route(asked.row), std::move(after),
                          removed.place, removed.expert);
  }
  const std::string changes = experts_changed(before, after);
  screen_.out << changes;
  if (changes.empty()) screen_.say("the others of the layer share its weight", Ink::kDim);
  screen_.out << paint("with:    ", Ink::kDim, screen_.style);
  const Answer answer = answerer_.show(asked, before);
  if (answerer_.is_stopped()) return;
  screen_.out << paint("without: ", Ink::kDim, screen_.style);
  answerer_.show(asked, after);
  if (!answerer_.is_stopped()) show_loss(answer.text, before, after);
}

// How much less likely an answer to the last prompt is by another route.
void RouteCommands::show_loss(const std::string& answer, const TaskRoute& before,
                              const TaskRoute& after) {
  if (answer.empty()) return;
  const std::string& text = conversation_.last->resolved.prompt.text;
  const std::vector<OptionScores> scores =
      conversation_.model.generator().score({{text, before}, {text, after}}, {{answer}, {answer}});
  if (scores[0].log_likelihoods.empty() || scores[1].log_likelihoods.empty()) return;
  const double with = scores[0].log_likelihoods[0], without = scores[1].log_likelihoods[0];
  const char* sign = without >= with ? "+" : "";
  screen_.say("log-likelihood of the first answer: " + in_figures(with) + " with, " +
              in_figures(without) + " without (" + sign + in_figures(without - with) + ")");
}

void RouteCommands::gates() {
  LoadedModel& model = conversation_.model;
  if (model.config().token_experts.num_experts == 1) {
    throw Error(ExitCode::kUsage,
                "this model has no token gates: its experts, where it has any, are chosen by task "
                "(/route)");
  }
  const Asked& last = conversation_.last_prompt();
  Engine& engine = model.generator().engine();
  const Tokenizer& tokenizer = model.generator().tokenizer();
  const auto longest = static_cast<size_t>(engine.config().max_position_embeddings);
  // What the decoder read: its start token, then its answer.
  const int32_t start_id = engine.config().decoder_start_token_id;
  std::vector<int32_t> read = {start_id};
  const std::vector<int32_t> answer = tokenizer.encode_target(last.answer, longest, start_id);
  read.insert(read.end(), answer.begin(), answer.end() - 1);  // its end was not read any more
  const Prompt& prompt = last.resolved.prompt;
  screen_.out << gate_picture(
      gate_map(engine, tokenizer, tokenizer.encode_with_special(prompt.text, longest), read,
               prompt.route.gates, last.resolved.task),
      screen_.style);
}

void RouteCommands::compare(const Arguments& arguments) {
  if (!conversation_.last) require_experts();
  if (arguments.size() != 2) {
    throw Error(ExitCode::kUsage, "name two tasks: /compare sst2 mnli; /tasks lists them");
  }
  const auto route_of = [&](const std::string& name) -> const TaskRoute& {
    const LoadedModel& model = conversation_.model;
    return model.route(static_cast<int64_t>(model.tasks().index_of(name)));
  };
  const TaskRoute &a = route_of(arguments[0]), &b = route_of(arguments[1]);
  if (num_experts(a) > 1 || num_experts(b) > 1) {
    screen_.out << route_comparison(arguments[0], a, arguments[1], b, screen_.style);
  }
  if (conversation_.last) compare_answers(arguments);
}

// The last prompt as a prompt of each task, by the task's own route.
void RouteCommands::compare_answers(const Arguments& tasks) {
  std::vector<std::string> answers;
  for (const std::string& task : tasks) {
    const ResolvedPrompt asked = conversation_.model.resolve(task, conversation_.last->text);
    const Answer answer = answerer_.find(asked, asked.prompt.route);
    if (answerer_.is_stopped()) return screen_.say("(stopped)", Ink::kDim);
    answers.push_back((answer.text.empty() ? "(an empty answer)" : answer.text) + " (" +
                      in_figures(answer.score) + ")");
  }
  screen_.out << '\n'
              << side_by_side(tasks[0] + ':', tasks[1] + ':', screen_.style)
              << side_by_side(answers[0], answers[1], screen_.style);
  screen_.say(
      "(the last prompt's answers and their log-likelihoods; a beam's is divided by its length)",
      Ink::kDim);
}

}  // namespace trivium::cli
