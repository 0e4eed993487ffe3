// What a conversation is at a moment: the model, what was chosen, what was said.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/repl/route_picture.h"
#include "core/base/error.h"
#include "core/generation/search.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {

enum class RouteDisplay { kOff, kBrief, kFull };

// The last prompt.
struct Asked {
  ResolvedPrompt resolved;
  std::string text;    // as it was typed
  std::string answer;  // what the model said; "" for nothing
};

// A prompt that got an answer.
struct Exchange {
  std::string prompt;  // as it was typed
  std::string task;
  TaskSource source = TaskSource::kNone;
  TaskRoute route;  // with the pins
  std::string answer;
  double score = 0;
  SearchOptions search;
};

struct Conversation {
  LoadedModel& model;
  SearchOptions search;
  std::string task;  // of every prompt; "": the nearest
  std::vector<Pin> pins;
  RouteDisplay display = RouteDisplay::kBrief;
  std::optional<Asked> last;
  std::vector<Exchange> exchanges;

  // Error kUsage where there is no last prompt.
  const Asked& last_prompt() const {
    if (!last) throw Error(ExitCode::kUsage, "no prompt yet: type one first");
    return *last;
  }
};

}  // namespace trivium::cli
