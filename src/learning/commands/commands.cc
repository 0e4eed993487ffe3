#include "learning/commands/commands.h"

#include "cli/program/model_flags.h"
#include "learning/model/device.h"
#include "learning/reference/torch_engine.h"

namespace trivium::learning {
namespace {

LoadedModel load_reference(const cli::ModelFlags& flags, const GeneratorOptions& options) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  return load_on_torch(cli::checkpoint_folder(flags.checkpoint), parse_device(flags.device),
                       options);
}

}  // namespace

void add_commands(CLI::App& app, int& status, const SettingsKinds& studies) {
  cli::set_reference_loader(load_reference);
  add_pretrain_command(app, status);
  add_train_command(app, status);
  add_adapt_command(app);
  add_classifier_command(app, status);
  add_import_command(app);
  add_config_command(app, studies);
  add_routes_commands(app);
  add_task_commands(app);
}

}  // namespace trivium::learning
