#include "cli/batch/run_settings.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/checkpoint/checkpoint_folder.h"

namespace trivium::cli {

Json run_settings(const CLI::App& command, const std::filesystem::path& checkpoint) {
  static const std::vector<std::string> without_effect = {
      "help",    "checkpoint", "output", "overwrite", "resume",
      "threads", "strict",     "json",   "markdown",  "predictions"};
  Json settings = {{"command", command.get_name()},
                   {"checkpoint", sha256_of_file(checkpoint / kManifestFile)}};
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    const bool counts =
        std::find(without_effect.begin(), without_effect.end(), name) == without_effect.end();
    if (counts && option->count() > 0) settings["--" + name] = option->results();
  }
  return settings;
}

}  // namespace trivium::cli
