// Flags whose values the environment may give: TRIVIUM_THREADS=4 stands for --threads 4 wherever a
// command takes it. Precedence, everywhere: the command line, the environment, a settings file, the
// default.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace trivium::cli {

// The long names, without dashes, of the flags that many commands share.
const std::vector<std::string>& environment_flags();

// "TRIVIUM_BATCH_SIZE" for "batch-size".
std::string environment_name(const std::string& flag);
// The same of an option; "" where the environment does not give it.
std::string environment_name(const CLI::Option& option);

// Gives those flags of a command (not of the commands within it) their variables.
void name_environment(CLI::App& command);

// The same for `app` and every command within it, as soon as the command line comes to one: a bad
// value of TRIVIUM_THREADS is no concern of a command without --threads.
void read_environment(CLI::App& app);

// The variable that gave an option of `command`, or of those around it, the value that `problem`
// complains of; "" where the command line did. `arguments` are the command line's.
std::string variable_behind(const std::string& problem, const CLI::App& command,
                            const std::vector<std::string>& arguments);

}  // namespace trivium::cli
