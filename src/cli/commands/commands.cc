#include "cli/commands/commands.h"

#include "cli/program/companion.h"

namespace trivium::cli {

void add_commands(CLI::App& app, int& status) {
  add_repl_command(app, status);
  add_generate_command(app, status);
  add_score_command(app, status);
  add_serve_command(app, status);
  add_eval_command(app, status);
  add_routes_command(app);
  add_curves_command(app);
  add_task_command(app);
  add_export_command(app);
  add_verify_command(app);
  add_tokenizer_command(app);
  add_bench_command(app);
  add_doctor_command(app, status);
}

void add_train_command_names(CLI::App& app, const std::vector<std::string>& arguments) {
  for (const TrainCommand& command : train_commands()) {
    CLI::App* parent = *command.parent == '\0' ? &app : app.get_subcommand(command.parent);
    parent->add_subcommand(command.name, command.help)->prefix_command()->callback([arguments] {
      start_train_program(arguments);
    });
  }
}

}  // namespace trivium::cli
