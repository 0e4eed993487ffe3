// The program trivium-train, which links LibTorch and stands beside trivium. To a user there is one
// command: `trivium train` starts `trivium-train train`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trivium::cli {

// A command that only trivium-train has.
struct TrainCommand {
  const char* parent;  // "routes" in `trivium routes disable`; "" for a command of the first level
  const char* name;
  const char* help;
};
const std::vector<TrainCommand>& train_commands();

// The help of one of them; another name is a bug.
const char* help_of_train_command(const std::string& parent, const std::string& name);

// Whether `arguments` (without the program's name) ask for one of them, for LibTorch's engine, or
// for answers by several processes that a launcher has started. Errors as launch_from_environment.
bool asks_for_train_command(const std::vector<std::string>& arguments);

// Where trivium-train is: what the environment variable TRIVIUM_TRAIN names (tools/trivium sets it
// to what builds trivium-train first), else the one beside this program. Error kUnavailable, which
// says what builds it, where it is not there.
std::filesystem::path train_program();

// Replaces this program by trivium-train with the same arguments. Returns only by throwing: Error
// as train_program; kIo.
[[noreturn]] void start_train_program(const std::vector<std::string>& arguments);

}  // namespace trivium::cli
