#include "cli/doctor/machine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "cli/program/build_info.h"
#include "cli/program/model_flags.h"
#include "cli/terminal/terminal_text.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/kernels/backend.h"
#include "core/kernels/instruction_set.h"

namespace trivium::cli {
namespace {

constexpr double kGigabyte = 1e9;

// "Intel(R) Xeon(R) Processor"; "unknown" where the system does not tell.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos) {
      return std::string(trim(std::string_view(line).substr(colon + 1)));
    }
  }
  return "unknown";
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Finding examine_processor() {
  std::string names;
  Json sets = Json::array();
  for (const InstructionSet set : available_instruction_sets()) {
    names += (names.empty() ? "" : ", ") + std::string(name_of(set));
    sets.push_back(name_of(set));
  }
  const char* const taken = name_of(available_instruction_sets().back());
  const std::string processor = processor_name();
  Finding finding{
      .topic = "processor",
      .text = processor + "; instruction sets: " + names + "; the engine takes " + taken,
      .details = {{"name", processor}, {"instruction_sets", sets}, {"taken", taken}}};
  if (available_instruction_sets().size() > 1) return finding;
  return not_well(std::move(finding), Health::kWarning,
                  "answers are slow without vector instructions; use a processor with AVX2 or "
                  "64-bit Arm");
}

Finding examine_cores() {
  const auto all = static_cast<int64_t>(::sysconf(_SC_NPROCESSORS_CONF));
  const int usable = cpu_threads(0);
  return {.topic = "cores",
          .text = fmt::format("{} of {} are this process's; so many threads answer by default",
                              usable, all),
          .details = {{"usable", usable}, {"all", all}}};
}

Finding examine_memory(int64_t needed) {
  const auto memory = machine_memory();
  if (!memory) {
    return not_well({.topic = "memory", .text = "the system does not tell how much there is"},
                    Health::kWarning, "look whether /proc is mounted");
  }
  Finding finding{
      .topic = "memory",
      .text = fmt::format("{:.1f} GB, {:.1f} GB of them available; the checkpoint's weights take "
                          "up to {:.2f} GB",
                          static_cast<double>(memory->total) / kGigabyte,
                          static_cast<double>(memory->available) / kGigabyte,
                          static_cast<double>(needed) / kGigabyte),
      .details = {{"total_bytes", memory->total},
                  {"available_bytes", memory->available},
                  {"weights_bytes", needed}}};
  if (memory->available >= needed) return finding;
  return not_well(std::move(finding), Health::kWarning,
                  "end other programs, or answer with --compute int8, which takes less");
}

Finding examine_cuda() {
  const std::string built = build_info().cuda;
  const int devices = cuda_device_count();
  Finding finding{.topic = "CUDA",
                  .text = built.empty() ? "not built in; answers come from the CPU"
                                        : fmt::format("built with {}; {} devices", built, devices),
                  .details = {{"built", !built.empty()}, {"devices", devices}}};
  if (built.empty() || devices > 0) return finding;
  return not_well(std::move(finding), Health::kWarning,
                  "nvidia-smi says whether there is a GPU and whether its driver is new enough; "
                  "without one, --device cpu answers");
}

Finding examine_terminal() {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const TerminalStyle style = style_of_standard_output(is_terminal);
  const std::string kind = variable("TERM");
  Finding finding{.topic = "terminal",
                  .text = fmt::format("standard output is {}; {} columns; TERM {}; colours {}; {}",
                                      is_terminal ? "a terminal" : "no terminal", style.width,
                                      kind.empty() ? "not set" : kind, style.colour ? "on" : "off",
                                      style.utf8 ? "UTF-8" : "the locale is not UTF-8"),
                  .details = {{"is_terminal", is_terminal},
                              {"columns", style.width},
                              {"term", kind},
                              {"colours", style.colour},
                              {"utf8", style.utf8}}};
  if (style.utf8) return finding;
  return not_well(std::move(finding), Health::kWarning,
                  "pictures of routes are drawn in plain ASCII; export LC_ALL=C.UTF-8 for others");
}

}  // namespace trivium::cli
