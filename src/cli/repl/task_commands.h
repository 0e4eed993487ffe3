// The commands about a conversation's tasks.
#pragma once

#include <string>
#include <vector>

#include "cli/repl/conversation.h"
#include "cli/repl/screen.h"

namespace trivium::cli {

class TaskCommands {
 public:
  // Both must outlive it.
  TaskCommands(Conversation& conversation, const Screen& screen)
      : conversation_(conversation), screen_(screen) {}

  // "" stands for the nearest. Error kMissingInput for an unknown task.
  void choose(const std::string& name);

  using Arguments = std::vector<std::string>;
  void task(const Arguments& arguments);
  void tasks(const Arguments& arguments);
  void why();

 private:
  void describe(const TaskEntry& entry);
  void show_guesses();

  Conversation& conversation_;
  const Screen& screen_;
};

}  // namespace trivium::cli
