// trivium: talks to, scores, evaluates and explains checkpoints. What trains them is trivium-train
// (main_train.cc), which this program starts for its commands.
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/program/companion.h"
#include "cli/program/program.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return trivium::cli::run_program(argc, argv, [&](CLI::App& app, int& status) {
    if (trivium::cli::asks_for_train_command(arguments)) {
      trivium::cli::start_train_program(arguments);
    }
    trivium::cli::add_commands(app, status);
    trivium::cli::add_train_command_names(app, arguments);
  });
}
