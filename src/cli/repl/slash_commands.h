// What a line of the REPL means: slash-commands, their help, pins. Nothing here runs a model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/repl/route_picture.h"

namespace trivium::cli {

enum class ReplCommand {
  kHelp,
  kTask,
  kTasks,
  kRegen,
  kScore,
  kRoute,
  kPin,
  kDisable,
  kGates,
  kWhy,
  kCompare,
  kTeach,
  kSet,
  kShow,
  kSave,
  kSaveOver,
  kLoad,
  kHistory,
  kClear,
  kQuit,
};

struct SlashCommand {
  ReplCommand command;
  const char* name;       // with its slash
  const char* arguments;  // "NAME|auto"
  const char* summary;    // one line
  const char* help;       // more, for /help NAME
};
const std::vector<SlashCommand>& slash_commands();
std::vector<std::string> command_names();
// nullptr where there is none of the name.
const SlashCommand* command_named(std::string_view name);

// A line: a prompt for the model, or a command and its words.
struct ReplLine {
  std::string prompt;                  // "" for a command or an empty line
  std::optional<ReplCommand> command;  // nothing for a prompt or an empty line
  std::vector<std::string> arguments;  // of the command, parted by white space
  std::string rest;                    // the arguments as they were typed
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

}  // namespace trivium::cli
