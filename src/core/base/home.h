// Where the program's own files are: prompts/, configs/ and checkpoints/.
#pragma once

#include <filesystem>

namespace trivium {

// The folder that holds them: $TRIVIUM_HOME, else share/trivium of the first folder around
// `installed` (of the program, or the library) that has one, else the source tree around it. Error
// kMissingInput where there is none.
std::filesystem::path home_folder(const std::filesystem::path& installed);

}  // namespace trivium
