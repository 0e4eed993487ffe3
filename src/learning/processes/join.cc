#include "learning/processes/join.h"

#include <string>

#include "core/base/error.h"
#include "core/base/logging.h"

namespace trivium::learning {

Processes join_processes(RunsIn runs_in) {
  const Launch launch = launch_from_environment();
  if (runs_in == RunsIn::kOne) refuse_several(launch);
  Processes processes(launch);
  if (launch.size > 1 && processes.is_first()) {
    spdlog::info("{} processes share the work", launch.size);
  }
  if (!processes.is_first()) spdlog::set_level(spdlog::level::err);
  return processes;
}

void refuse_device(const Processes& processes, const torch::Device& device) {
  if (processes.size() == 1 || device.is_cpu()) return;
  throw Error(ExitCode::kUnavailable,
              "several processes train on CPUs only; give --device cpu, or start one process");
}

}  // namespace trivium::learning
