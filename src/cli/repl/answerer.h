// Prompts answered on a screen.
#pragma once

#include <atomic>

#include "cli/repl/conversation.h"
#include "cli/repl/option_ranking.h"
#include "cli/repl/screen.h"

namespace trivium::cli {

// Asks the conversation's model with its settings and pins.
class Answerer {
 public:
  // All must outlive it. `streams`: print an answer as it grows, or whole at its end. An answer
  // ends where `stop` becomes true.
  Answerer(Conversation& conversation, const Screen& screen, bool streams,
           const std::atomic<bool>& stop)
      : conversation_(conversation), screen_(screen), streams_(streams), stop_(stop) {}

  // Answers a prompt as the user typed it, and remembers it as the last one. Returns whether there
  // is an answer.
  bool ask(const std::string& text);
  // The last prompt once more; with sampling by the next seed.
  bool ask_again();
  // Ranks texts, parted by "|", as answers to the last prompt.
  void score(const std::string& texts);

  // Answers a prompt by `route`, and prints it.
  Answer show(const ResolvedPrompt& asked, const TaskRoute& route);
  // The same without printing.
  Answer find(const ResolvedPrompt& asked, const TaskRoute& route);

  bool is_stopped() const { return stop_.load(); }

 private:
  bool is_ranked(const ResolvedPrompt& asked) const;
  bool answer_last();
  Answer show_ranking(const Prompt& prompt, const std::vector<std::string>& options);

  Conversation& conversation_;
  const Screen& screen_;
  bool streams_;
  const std::atomic<bool>& stop_;
};

}  // namespace trivium::cli
