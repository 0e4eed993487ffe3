#include "cli/program/home.h"

#include <cstdlib>

#include "core/base/error.h"

namespace trivium::cli {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::current_path() : program.parent_path();
}

fs::path home_folder() {
  const char* home = std::getenv("TRIVIUM_HOME");
  if (home != nullptr && *home != '\0') return home;
  const fs::path installed = program_folder().parent_path() / "share" / "trivium";
  if (fs::is_directory(installed / "prompts")) return installed;
  for (fs::path folder = program_folder(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (fs::is_directory(folder / "prompts") && fs::is_directory(folder / "checkpoints")) {
      return folder;
    }
  }
  throw Error(ExitCode::kMissingInput,
              "the folders prompts/ and checkpoints/ are not beside the program; set TRIVIUM_HOME "
              "to the folder that holds them");
}

std::string default_checkpoint() {
  return (home_folder() / "checkpoints" / "trivium-small").string();
}

}  // namespace trivium::cli
