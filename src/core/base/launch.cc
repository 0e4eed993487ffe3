#include "core/base/launch.h"

#include <charconv>
#include <cstdlib>
#include <optional>

#include "core/base/error.h"

namespace trivium {
namespace {

constexpr int kMostProcesses = 65536;
constexpr const char* kAlone = "unset it to run in one process";

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return {};
  return value;
}

int number_in(const std::string& name, int low, int high, const std::string& advice) {
  const std::string text = variable(name).value_or("");
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < low || number > high) {
    throw Error(ExitCode::kUsage, "the variable " + name + " is \"" + text +
                                      "\", not a number from " + std::to_string(low) + " to " +
                                      std::to_string(high) + "; " + advice);
  }
  return number;
}

// The names of one launcher's variables.
struct Names {
  const char* rank;
  const char* size;
  const char* on_this_host;  // how many processes this host has; "" where the launcher tells the
                             // address
};
constexpr Names kLaunchers[] = {
    {"RANK", "WORLD_SIZE", ""},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE"},
};

}  // namespace

Launch launch_from_environment() {
  Launch launch;
  const Names* launcher = nullptr;
  for (const Names& names : kLaunchers) {
    if (launcher == nullptr && variable(names.rank) && variable(names.size)) launcher = &names;
  }
  if (launcher == nullptr) return launch;
  launch.size = number_in(launcher->size, 1, kMostProcesses, kAlone);
  launch.rank = number_in(launcher->rank, 0, launch.size - 1, kAlone);
  if (launch.size == 1) return launch;
  if (const auto address = variable("MASTER_ADDR")) {
    launch.address = *address;
  } else if (variable(launcher->on_this_host) != std::to_string(launch.size)) {
    throw Error(ExitCode::kUsage,
                "the processes are on several hosts: set MASTER_ADDR to the host "
                "of process 0, and MASTER_PORT to a port that is free there");
  }
  if (variable("MASTER_PORT"))
    launch.port = number_in("MASTER_PORT", 1, 65535, "name a free port of process 0's host");
  launch.launcher_serves = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
  launch.attempt = variable("TORCHELASTIC_RESTART_COUNT").value_or("0");
  if (variable("LOCAL_WORLD_SIZE")) {
    launch.sharing_cores =
        number_in("LOCAL_WORLD_SIZE", 1, launch.size, "unset it, or let torchrun set it");
  }
  return launch;
}

void refuse_several(const Launch& launch) {
  if (launch.size == 1) return;
  throw Error(ExitCode::kUsage, "this runs in one process, and a launcher has started " +
                                    std::to_string(launch.size) +
                                    "; train, pretrain, generate, score and eval can share their "
                                    "work, without --dry-run");
}

}  // namespace trivium
