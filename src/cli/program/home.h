// Where the program's own files are: prompts/, configs/ and checkpoints/, and the program beside
// it.
#pragma once

#include <filesystem>
#include <string>

namespace trivium::cli {

// The folder that this program was started from.
std::filesystem::path program_folder();

// The folder that holds prompts/, configs/ and checkpoints/ (core/base/home.h).
std::filesystem::path home_folder();

// The checkpoint that commands use when none is named: the one shipped in checkpoints/.
std::string default_checkpoint();

}  // namespace trivium::cli
