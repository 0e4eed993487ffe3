#include "cli/program/given_paths.h"

#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

void check_given(const std::string& path, const std::string& name, const char* what) {
  if (path.empty()) {
    throw Error(ExitCode::kConfig, name + " is empty; name the " + what + " to write");
  }
}

// No folder can be made where a file is.
void check_way(fs::path path, const std::string& name) {
  for (path = fs::absolute(path).lexically_normal(); path.has_relative_path();
       path = path.parent_path()) {
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    if (fs::is_directory(path, error)) return;
    throw Error(ExitCode::kConfig, name + ": " + path.string() + " is a file; name a folder");
  }
}

}  // namespace

void check_output_folder(const std::string& path, const std::string& name) {
  check_given(path, name, "folder");
  check_way(path, name);
}

void check_ending(const std::string& path, const std::vector<std::string>& endings,
                  const std::string& name) {
  if (path == "-" || !write_target(path).is_replaceable) return;
  std::string all;
  for (const std::string& ending : endings) {
    if (path.ends_with(ending)) return;
    all += (all.empty() ? "" : " or ") + ending;
  }
  throw Error(ExitCode::kUsage, name + " " + path + ": end the name in " + all);
}

void check_start(const std::string& path, const std::string& name) {
  if (path.empty()) {
    throw Error(ExitCode::kConfig,
                name + " is empty; name the folder to start from: --set " + name + "=FOLDER");
  }
}

void check_output_file(const std::string& path, const std::string& name) {
  check_given(path, name, "file");
  if (fs::is_directory(path)) {
    throw Error(ExitCode::kConfig, name + ": " + path + " is a folder; name a file");
  }
  check_way(fs::absolute(path).parent_path(), name);
}

}  // namespace trivium::cli
