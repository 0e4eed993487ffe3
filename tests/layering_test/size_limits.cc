#include "layering_test/size_limits.h"

#include <cctype>
#include <filesystem>

namespace trivium {
namespace {

// A function's first line is the last one before its closing brace that is not indented.
void find_long_functions(const SourceFile& file, int limit, std::vector<std::string>& violations) {
  int number = 0;
  int first = 0;
  for (const std::string& line : split_lines(file.text)) {
    ++number;
    if (line == "}" && number - first + 1 > limit) {
      violations.push_back(file.path + ":" + std::to_string(first) + ": a function of " +
                           std::to_string(number - first + 1) + " lines; the limit is " +
                           std::to_string(limit));
    }
    const bool indented = line.empty() || std::isspace(static_cast<unsigned char>(line[0])) != 0;
    if (!indented && line[0] != '#') first = number;
  }
}

}  // namespace

std::vector<std::string> size_violations(const std::vector<SourceFile>& files) {
  std::vector<std::string> violations;
  for (const SourceFile& file : files) {
    const std::string extension = std::filesystem::path(file.path).extension().string();
    if (extension == ".inc") continue;
    const size_t lines = split_lines(file.text).size();
    if (lines > kMaxFileLines) {
      violations.push_back(file.path + ": " + std::to_string(lines) + " lines; the limit is " +
                           std::to_string(kMaxFileLines));
    }
    if (file.path.rfind("src/", 0) != 0) continue;
    if (extension == ".cu" || extension == ".cuh") {
      find_long_functions(file, kMaxCudaFunctionLines, violations);
    } else if (extension == ".cc" || extension == ".h") {
      find_long_functions(file, kMaxFunctionLines, violations);
    }
  }
  return violations;
}

}  // namespace trivium
