// What belongs to this installation, and whether it is there and sound.
#pragma once

#include <filesystem>

#include "cli/doctor/finding.h"

namespace trivium::cli {

// Version, commit and compiler.
Finding examine_program();
// trivium-train: where it is, and its version where it is a built program. A script in its place
// (TRIVIUM_TRAIN of the source tree) is not started, since it may build first.
Finding examine_train();
// The folder of prompts/, configs/ and checkpoints/.
Finding examine_home();
// Whether every byte of a checkpoint is what was saved.
Finding examine_checkpoint(const std::filesystem::path& folder);
// Whether the REPL can keep its history.
Finding examine_state_folder();

}  // namespace trivium::cli
