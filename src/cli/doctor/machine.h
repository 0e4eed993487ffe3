// What this machine is: its processor, cores, memory, GPUs and terminal.
#pragma once

#include "cli/doctor/finding.h"

namespace trivium::cli {

// Its name, its instruction sets, and which one the engine takes.
Finding examine_processor();
Finding examine_cores();
// A warning where what is available does not hold `needed` bytes.
Finding examine_memory(int64_t needed);
// Whether CUDA's kernels were built, and the devices that they can use.
Finding examine_cuda();
Finding examine_terminal();

}  // namespace trivium::cli
