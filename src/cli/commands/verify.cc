// trivium verify: whether every byte of a checkpoint is what was saved.
#include <filesystem>
#include <memory>
#include <string>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/program/model_flags.h"
#include "core/checkpoint/checkpoint_folder.h"

namespace trivium::cli {

void add_verify_command(CLI::App& app) {
  auto folder = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "verify", "read a checkpoint whole and compare it with its manifest (exit code 76: damaged)");
  add_checkpoint_flag(*command, *folder);
  command->footer("Example:\n  trivium verify --checkpoint checkpoints/trivium-small");
  command->callback([folder] {
    const std::filesystem::path checked = checkpoint_folder(*folder);
    const size_t files = verify_every_byte(checked);
    write_output(checked.string() + ": all " + std::to_string(files) +
                 " files are as they were saved\n");
  });
}

}  // namespace trivium::cli
