// What both programs' main functions do: parse the command line, run the command, and turn errors
// into one line and an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace trivium::cli {

// `add_commands(app, status)` adds the subcommands; their callbacks do the work and throw Error for
// what a user can mend. A command that was stopped by a signal and can be resumed, or that met bad
// lines, sets `status`. Returns the exit code.
int run_program(int argc, char** argv,
                const std::function<void(CLI::App& app, int& status)>& add_commands);

}  // namespace trivium::cli
