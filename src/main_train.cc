// trivium-train: all that trivium does, and what needs LibTorch: training, adaptation, import, and
// the sources' studies. People start it as `trivium train`, `trivium adapt` and so on.
#include "cli/commands/commands.h"
#include "cli/program/program.h"
#include "core/base/memory.h"
#include "learning/commands/commands.h"
#include "research/commands/commands.h"

int main(int argc, char** argv) {
  trivium::keep_freed_memory();
  return trivium::cli::run_program(argc, argv, [](CLI::App& app, int& status) {
    trivium::cli::add_commands(app, status);
    trivium::learning::add_commands(app, status, trivium::research::study_settings());
    trivium::research::add_commands(app, status);
  });
}
