#include "learning/commands/commands.h"

#include "cli/batch/process_group.h"
#include "cli/program/model_flags.h"
#include "core/base/json.h"
#include "learning/model/device.h"
#include "learning/processes/join.h"
#include "learning/reference/torch_engine.h"

namespace trivium::learning {
namespace {

LoadedModel load_reference(const cli::ModelFlags& flags, const GeneratorOptions& options) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  return load_on_torch(cli::checkpoint_folder(flags.checkpoint), parse_device(flags.device),
                       options);
}

// generate, score and eval by several processes.
class ConnectedProcesses : public cli::ProcessGroup {
 public:
  ConnectedProcesses() : processes_(join_processes(RunsIn::kSeveral)) {}
  int rank() const override { return processes_.rank(); }
  int size() const override { return processes_.size(); }
  std::vector<Json> gather(Json of_this) override {
    std::vector<Json> all;
    for (const std::string& text : processes_.gather(to_json_line(of_this))) {
      all.push_back(Json::parse(text));
    }
    return all;
  }
  Json share(Json of_first) override {
    return Json::parse(processes_.share(to_json_line(of_first)));
  }

 private:
  Processes processes_;
};

}  // namespace

void add_commands(CLI::App& app, int& status, const SettingsKinds& studies) {
  cli::set_reference_loader(load_reference);
  cli::set_process_group_maker([]() -> std::unique_ptr<cli::ProcessGroup> {
    return std::make_unique<ConnectedProcesses>();
  });
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
