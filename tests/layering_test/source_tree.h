// The project's own files, and what may lie at its top level.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace trivium {

struct SourceFile {
  std::string path;  // from the project's root, with '/'
  std::string text;
};

// The C++, CUDA, CMake, Python and shell files below src/, tests/ and tools/, and the root's
// CMakeLists.txt and .gitignore.
std::vector<SourceFile> read_source_tree(const std::filesystem::path& root);

// One line for every name at the top level that is neither on the project's list, a dot-file nor
// matched by a line of `gitignore`.
std::vector<std::string> top_level_violations(const std::vector<std::string>& names,
                                              std::string_view gitignore);

std::vector<std::string> split_lines(std::string_view text);

}  // namespace trivium
