// The commands that show a conversation's routes and change them.
#pragma once

#include <string>
#include <vector>

#include "cli/repl/answerer.h"
#include "cli/repl/conversation.h"
#include "cli/repl/screen.h"

namespace trivium::cli {

class RouteCommands {
 public:
  // All must outlive it.
  RouteCommands(Conversation& conversation, Answerer& answerer, const Screen& screen)
      : conversation_(conversation), answerer_(answerer), screen_(screen) {}

  // The last prompt's route, or the chosen task's.
  void show_route(RouteDisplay display);

  using Arguments = std::vector<std::string>;
  void route(const Arguments& arguments);
  void pin(const Arguments& arguments);
  void disable(const Arguments& arguments);
  void gates();
  void compare(const Arguments& arguments);

 private:
  void require_experts() const;
  // The route of the last prompt, or of the chosen task, without pins; nullptr where there is none.
  const TaskRoute* route_at_hand() const;
  // The same, or that of no task: which layers have a choice, and of how many.
  const TaskRoute& shape_at_hand() const;
  std::string experts_changed(const TaskRoute& before, const TaskRoute& after) const;
  void show_change(const std::vector<Pin>& pins_before);
  void show_loss(const std::string& answer, const TaskRoute& before, const TaskRoute& after);
  void compare_answers(const Arguments& tasks);

  Conversation& conversation_;
  Answerer& answerer_;
  const Screen& screen_;
  bool legend_shown_ = false;
};

// "6 encoder and 2 decoder layers"
std::string layers_text(const ModelConfig& config);
// "3 tasks"
std::string count_of(size_t number, const std::string& noun);

}  // namespace trivium::cli
