// One conversation: what a line does, and what it prints.
#pragma once

#include <atomic>
#include <ostream>
#include <string>
#include <vector>

#include "cli/repl/answerer.h"
#include "cli/repl/conversation.h"
#include "cli/repl/route_commands.h"
#include "cli/repl/screen.h"
#include "cli/repl/several_lines.h"
#include "cli/repl/slash_commands.h"
#include "cli/repl/task_commands.h"
#include "cli/repl/teaching.h"
#include "cli/terminal/line_history.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {

class ReplSession {
 public:
  // Who is at the other end.
  enum class Reader {
    kPerson,  // answers are printed as they grow, and a task is taught while the person goes on
    kPipe,    // answers are printed whole, and the next line waits until a task is taught
  };

  // All must outlive the session; `style` may change between lines (a resized terminal), and a task
  // that is taught changes `model`. An answer ends where `stop` becomes true.
  ReplSession(LoadedModel& model, const LineHistory& history, const TerminalStyle& style,
              Reader reader, const std::atomic<bool>& stop, std::ostream& out);
  ReplSession(const ReplSession&) = delete;
  ReplSession& operator=(const ReplSession&) = delete;

  // Every prompt from now on is for this task; "" stands for the nearest. Error kMissingInput for
  // an unknown one.
  void choose_task(const std::string& name) { tasks_.choose(name); }

  // Model, tasks, experts, and how to get help.
  std::string banner() const;
  // "sst2 › "; another one where a line goes on.
  std::string prompt() const;

  // Answers a prompt or obeys a slash-command; an empty line does nothing. Throws Error for what
  // the user can mend; the session can go on after any exception.
  void run_line(const std::string& line);
  // The user gave up what was begun: a prompt of several lines, examples.
  void drop_begun();
  // Whether something is begun, so that the next line goes on with it.
  bool has_begun() const { return lines_.goes_on() || teaching_.collects(); }
  // Error kBadData where the input ends within something that was begun.
  void end_input() const;
  bool wants_to_quit() const { return quits_; }

  // What goes on while lines are edited.
  Background& background() { return teaching_; }
  std::vector<std::string> task_names() const { return conversation_.model.tasks().names(); }

 private:
  using Arguments = std::vector<std::string>;

  void run_command(const ReplLine& line);
  void ask(const std::string& text);
  void teach(const ReplLine& line);

  void set(const Arguments& arguments);
  void show();
  void save(const std::string& file, bool over);
  void load(const std::string& file);
  void list_history();
  void clear();

  const LineHistory& history_;
  Reader reader_;
  Screen screen_;
  Conversation conversation_;
  Answerer answerer_;
  RouteCommands routes_;
  TaskCommands tasks_;
  Teaching teaching_;
  SeveralLines lines_;
  bool quits_ = false;
};

}  // namespace trivium::cli
