#include "cli/program/build_info.h"
#include "core/kernels/instruction_set.h"

namespace trivium::cli {

std::string version_text(const std::string& program) {
  const BuildInfo& info = build_info();
  std::string commit = info.commit;
  if (commit.empty()) commit = "unknown (built outside git)";
  if (info.has_changes) commit += " with changes";
  const std::string cuda = info.cuda;
  return program + " " + info.version + "\ncommit: " + commit + "\ncompiler: " + info.compiler +
         "\ninstruction set: " + name_of(available_instruction_sets().back()) +
         "\nCUDA kernels: " + (cuda.empty() ? "not built" : cuda);
}

}  // namespace trivium::cli
