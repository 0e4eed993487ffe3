#include "cli/program/home.h"

#include "core/base/home.h"

namespace trivium::cli {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::current_path() : program.parent_path();
}

fs::path home_folder() { return trivium::home_folder(program_folder()); }

std::filesystem::path prompts_folder(const std::string& named) {
  return named.empty() ? home_folder() / "prompts" : std::filesystem::path(named);
}

fs::path shipped_or_own(const std::string& path) {
  if (fs::path(path).is_absolute() || fs::exists(path)) return path;
  const fs::path shipped = home_folder() / path;
  return fs::exists(shipped) ? shipped : fs::path(path);
}

std::string default_checkpoint() {
  return (home_folder() / "checkpoints" / "trivium-small").string();
}

}  // namespace trivium::cli
