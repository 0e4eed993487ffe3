#include "core/base/home.h"

#include <cstdlib>

#include "core/base/error.h"

namespace trivium {

namespace fs = std::filesystem;

fs::path home_folder(const fs::path& installed) {
  const char* home = std::getenv("TRIVIUM_HOME");
  if (home != nullptr && *home != '\0') return home;
  for (fs::path folder = installed; folder.has_relative_path(); folder = folder.parent_path()) {
    fs::path share = folder / "share" / "trivium";
    if (fs::is_directory(share / "prompts")) return share;
    if (fs::is_directory(folder / "prompts") && fs::is_directory(folder / "checkpoints")) {
      return folder;
    }
  }
  throw Error(ExitCode::kMissingInput,
              "the folders prompts/ and checkpoints/ are not beside the program; set TRIVIUM_HOME "
              "to the folder that holds them");
}

}  // namespace trivium
