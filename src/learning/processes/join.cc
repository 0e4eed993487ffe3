#include "learning/processes/join.h"

#include <string>

#include "core/base/error.h"
#include "core/base/logging.h"

namespace trivium::learning {

Processes join_processes(RunsIn runs_in) {
  const Launch launch = launch_from_environment();
  if (runs_in == RunsIn::kOne && launch.size > 1) {
    throw Error(ExitCode::kUsage, "this runs in one process, and a launcher has started " +
                                      std::to_string(launch.size) +
                                      "; `train` and `pretrain` can share their work");
  }
  Processes processes(launch);
  if (launch.size > 1 && processes.is_first()) {
    spdlog::info("{} processes train together", launch.size);
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
