// trivium verify: whether every byte of a checkpoint is what was saved.
#include <filesystem>
#include <memory>
#include <string>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/json_flag.h"
#include "cli/program/model_flags.h"
#include "core/base/json.h"
#include "core/checkpoint/added_task.h"
#include "core/checkpoint/checkpoint_folder.h"

namespace trivium::cli {
namespace {

struct VerifyFlags {
  std::string checkpoint;
  bool json = false;
};

}  // namespace

void add_verify_command(CLI::App& app) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command = app.add_subcommand(
      "verify", "read a checkpoint whole and compare it with its manifest (exit code 76: damaged)");
  add_checkpoint_flag(*command, flags->checkpoint);
  add_json_flag(*command, flags->json);
  command->footer("Example:\n  trivium verify --checkpoint checkpoints/trivium-small");
  command->callback([flags] {
    const std::filesystem::path checked = checkpoint_folder(flags->checkpoint);
    size_t files = verify_every_byte(checked);
    for (const std::string& task : added_task_names(checked)) {
      files += verify_every_byte(checked / kAddedTasksFolder / task);
    }
    if (flags->json) {
      return write_output(to_json_line({{"checkpoint", checked.string()}, {"files", files}}) +
                          "\n");
    }
    write_output(checked.string() + ": all " + std::to_string(files) +
                 " files are as they were saved\n");
  });
}

}  // namespace trivium::cli
