// One conversation: what a line does, and what it prints.
#pragma once

#include <atomic>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/repl/repl_language.h"
#include "cli/repl/route_picture.h"
#include "cli/terminal/line_history.h"
#include "cli/terminal/terminal_text.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {

class ReplSession {
 public:
  // All must outlive the session; `style` may change between lines (a resized terminal). `streams`:
  // print an answer as it grows, or whole at its end. An answer ends where `stop` becomes true.
  ReplSession(LoadedModel& model, const LineHistory& history, const TerminalStyle& style,
              bool streams, const std::atomic<bool>& stop, std::ostream& out);

  // Every prompt from now on is for this task; "" stands for the nearest. Error kMissingInput for
  // an unknown one.
  void choose_task(const std::string& name);

  // Model, tasks, experts, and how to get help.
  std::string banner() const;
  // "sst2 › "
  std::string prompt() const;

  // Answers a prompt or obeys a slash-command; an empty line does nothing. Throws Error for what
  // the user can mend; the session can go on after any exception.
  void run_line(const std::string& line);
  bool wants_to_quit() const { return quits_; }

 private:
  using Arguments = std::vector<std::string>;
  enum class RouteDisplay { kOff, kBrief, kFull };

  void run_command(const std::string& command, const Arguments& arguments);
  void answer(const std::string& text);
  Answer generate(const TaskRoute& route);
  Answer rank_options(const Prompt& prompt);
  void say(std::string_view text, Ink ink);
  void show_route(RouteDisplay display);
  void show_change(const std::vector<Pin>& pins_before);
  // The route of the last prompt, or of the chosen task, without pins; nullptr where there is none.
  const TaskRoute* route_at_hand() const;
  void require_experts() const;

  void do_task(const Arguments& arguments);
  void do_tasks(const Arguments& arguments);
  void do_route(const Arguments& arguments);
  void do_pin(const Arguments& arguments);
  void do_set(const Arguments& arguments);
  void do_why();
  void do_gates();
  void do_compare(const Arguments& arguments);
  void do_history();
  void describe_task(const TaskEntry& entry);

  LoadedModel& model_;
  const LineHistory& history_;
  const TerminalStyle& style_;
  bool streams_;
  const std::atomic<bool>& stop_;
  std::ostream& out_;
  SearchOptions search_;
  std::string task_;  // "": the nearest
  RouteDisplay display_ = RouteDisplay::kBrief;
  std::vector<Pin> pins_;
  std::optional<ResolvedPrompt> last_;
  std::string last_text_;    // the last prompt as it was typed
  std::string last_answer_;  // what the model wrote
  bool legend_shown_ = false;
  bool quits_ = false;
};

}  // namespace trivium::cli
