#include "research/commands/commands.h"

#include "research/benches/benches.h"

namespace trivium::research {

void add_commands(CLI::App& app, int& status) {
  add_experiment_command(app, status);
  add_benches(*app.get_subcommand("bench"));
}

}  // namespace trivium::research
