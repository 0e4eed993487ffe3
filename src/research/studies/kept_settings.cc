#include "research/studies/kept_settings.h"

#include "core/base/error.h"
#include "core/base/file.h"

namespace trivium::research {

void keep_settings(const std::filesystem::path& file, const std::string& text) {
  if (!std::filesystem::exists(file)) {
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, text);
  } else if (read_file(file) != text) {
    throw Error(ExitCode::kConfig,
                file.parent_path().string() + " has results of other settings (see its " +
                    file.filename().string() + "); remove it or choose another experiment.output");
  }
}

}  // namespace trivium::research
