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

// The folder of prompt templates: `named`, or the shipped one where that is "". Every command finds
// its templates by this rule.
std::filesystem::path prompts_folder(const std::string& named = "");

// A relative path of a settings file: as it is where it leads somewhere from here, else in the
// folder of the program's own files, so that a shipped settings file works from any folder.
std::filesystem::path shipped_or_own(const std::string& path);

// The checkpoint that commands use when none is named: the one shipped in checkpoints/.
std::string default_checkpoint();

}  // namespace trivium::cli
