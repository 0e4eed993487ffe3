// The machine's memory, a process's, and how this one keeps what it has freed.
#pragma once

#include <cstdint>
#include <optional>

namespace trivium {

// Bytes of the machine, or of the control group (a container) that this process is in where that
// allows less.
struct MachineMemory {
  int64_t total = 0;
  int64_t available = 0;  // what new work can have without swapping
};
// Nothing where the system does not tell (Linux: /proc/meminfo).
std::optional<MachineMemory> machine_memory();

// The most bytes that a process has held at once; 0: this one. Not getrusage's figure, which counts
// what the process held before it became its program. Nothing where the system does not tell
// (Linux: VmHWM of /proc/PID/status), or the process has ended.
std::optional<int64_t> peak_memory(int process = 0);

// Tells the C library to keep freed memory instead of giving it back to the system. A training
// step frees and allocates gigabytes of tensors; by default large ones are mapped anew every time,
// and each page then costs a fault and a zeroing. Where the C library has no such setting, nothing
// happens.
void keep_freed_memory();

}  // namespace trivium
