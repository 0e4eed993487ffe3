// What a line of the REPL means: slash-commands, pins, settings, completion. Nothing here runs a
// model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/repl/route_picture.h"
#include "cli/terminal/line_editor.h"
#include "core/generation/search.h"

namespace trivium::cli {

struct SlashCommand {
  const char* name;       // with its slash
  const char* arguments;  // "NAME|auto"
  const char* summary;    // one line
  const char* help;       // more, for /help NAME
};
const std::vector<SlashCommand>& slash_commands();

// A line: a prompt for the model, or a command and its words.
struct ReplLine {
  std::string prompt;                  // "" for a command or an empty line
  std::string command;                 // "/task"; "" for a prompt or an empty line
  std::vector<std::string> arguments;  // of the command, parted by white space
};

// "//text" is the prompt "/text". Ill-formed UTF-8 becomes U+FFFD. Error kUsage, with the nearest
// names, for a command that does not exist.
ReplLine parse_repl_line(std::string_view line);

// Every command with its summary, or the help of one, with or without its slash. `shape` is any
// route of the model: examples are of its layers. Error kUsage as above.
std::string help_text(const std::string& command, const TaskRoute& shape,
                      const TerminalStyle& style);

// "encoder.3=2", also "enc.3=2" or "e3=2": layer 3 of the encoder takes expert 2, both counted from
// 1. `shape` is any route of the model. Error kUsage says what the model has.
Pin parse_pin(const std::string& text, const TaskRoute& shape);

// Changes one setting: "num_beams=4". Sampling and beams exclude each other, so that setting one
// switches the other off. Error kUsage names the keys, or the range.
void change_search(SearchOptions& search, const std::string& assignment);
// "num_beams=4  …", one setting a line with its meaning.
std::string search_text(SearchOptions search, const TerminalStyle& style);

// Completes commands, and their arguments with the names of `tasks`.
Completion complete_repl_line(std::string_view line_to_cursor,
                              const std::vector<std::string>& tasks);

}  // namespace trivium::cli
