// A conversation as a file of JSON Lines.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/repl/conversation.h"

namespace trivium::cli {

// First {"trivium_session": 1, "task": "" for the nearest, "settings": {…}, "pins":
// ["encoder.3=2"…]}, then a line for each exchange: {"prompt", "task", "task_source", "route":
// {"encoder": [[w…]…], "decoder": […]}, "answer", "score", "settings"}.
std::string session_text(const Conversation& conversation);

// What such a file holds, for the conversation's model.
struct StoredSession {
  std::string task;
  SearchOptions search;
  std::vector<Pin> pins;
  std::vector<Exchange> exchanges;
};
// Nobody vouches for the file: unknown keys, wrong types, tasks and pins that the model does not
// have are an Error (kBadData) that names file:line. Error kMissingInput, kUnavailable for what is
// no ordinary file.
StoredSession read_session(const std::filesystem::path& file, const Conversation& conversation);

}  // namespace trivium::cli
