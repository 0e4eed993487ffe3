#include "layering_test/source_tree.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTopLevel = {"CMakeLists.txt", "CHANGELOG.md", "CONTRIBUTING.md",
                                  "LICENSE",        "README.md",    "checkpoints",
                                  "cmake",          "configs",      "docs",
                                  "prompts",        "src",          "tests",
                                  "tools"};

template <size_t N>
bool contains(const std::array<const char*, N>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool is_code(const fs::path& path) {
  constexpr std::array kExtensions = {".h", ".cc", ".cu", ".cuh", ".inc", ".cmake", ".py", ".sh"};
  const bool is_tool = path.extension().empty() && path.parent_path().filename() == "tools";
  return path.filename() == "CMakeLists.txt" || is_tool ||
         contains(kExtensions, path.extension().string());
}

SourceFile read_source(const fs::path& root, const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  return {path.lexically_relative(root).generic_string(), std::move(text)};
}

}  // namespace

std::vector<SourceFile> read_source_tree(const fs::path& root) {
  std::vector<SourceFile> files = {read_source(root, root / "CMakeLists.txt"),
                                   read_source(root, root / ".gitignore")};
  for (const char* folder : {"src", "tests", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.is_regular_file() && is_code(entry.path())) {
        files.push_back(read_source(root, entry.path()));
      }
    }
  }
  return files;
}

std::vector<std::string> top_level_violations(const std::vector<std::string>& names,
                                              std::string_view gitignore) {
  std::vector<std::string> patterns;
  for (std::string line : split_lines(gitignore)) {
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '/') line.erase(0, 1);
    if (!line.empty() && line.back() == '/') line.pop_back();
    patterns.push_back(line);
  }
  std::vector<std::string> violations;
  for (const std::string& name : names) {
    const bool ignored = std::any_of(
        patterns.begin(), patterns.end(),
        [&](const std::string& pattern) { return fnmatch(pattern.c_str(), name.c_str(), 0) == 0; });
    if (name.front() == '.' || contains(kTopLevel, name) || ignored) continue;
    violations.push_back(name + ": may not lie at the top level of the project");
  }
  return violations;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace trivium
