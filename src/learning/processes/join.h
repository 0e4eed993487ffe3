// How a command comes to its processes.
#pragma once

#include <torch/torch.h>

#include "learning/processes/processes.h"

namespace trivium::learning {

enum class RunsIn { kOne, kSeveral };

// The processes that a launcher started, found by its variables; one alone where there is none.
// Those but the first only say what is wrong. Error kUsage where a launcher started several for
// what runs in one; errors as launch_from_environment and Processes.
Processes join_processes(RunsIn runs_in);

// Error kUnavailable where several processes are to train on a GPU.
void refuse_device(const Processes& processes, const torch::Device& device);

}  // namespace trivium::learning
