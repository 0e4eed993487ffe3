// What --version says.
#pragma once

#include <string>

namespace trivium::cli {

// How this program was built. The build writes the values.
struct BuildInfo {
  const char* version;   // "0.1.0"
  const char* commit;    // of git, 12 digits; "" where the sources were no git repository
  bool has_changes;      // the sources differed from that commit
  const char* compiler;  // "GNU 12.2.0"
  const char* cuda;      // "CUDA 13.0.48"; "" for a build without CUDA kernels
};
const BuildInfo& build_info();

// The text of `program --version`, a line for each fact, with the instruction set that the CPU
// kernels use on this machine. Without the line break at the end.
std::string version_text(const std::string& program);

}  // namespace trivium::cli
