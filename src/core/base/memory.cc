#include "core/base/memory.h"

#include <algorithm>
#include <cstdio>   // sscanf
#include <cstdlib>  // defines __GLIBC__, where it is the C library
#include <fstream>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace trivium {
namespace {

// The number that a file of one number holds; nothing where it holds "max", or is not there.
std::optional<int64_t> number_in(const char* path) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<MachineMemory> machine_memory() {
  std::ifstream file("/proc/meminfo");
  MachineMemory memory;
  std::string name, unit;
  for (int64_t kilobytes = 0; file >> name >> kilobytes; std::getline(file, unit)) {
    if (name == "MemTotal:") memory.total = kilobytes * 1024;
    if (name == "MemAvailable:") memory.available = kilobytes * 1024;
  }
  if (memory.total <= 0) return std::nullopt;
  if (const auto limit = number_in("/sys/fs/cgroup/memory.max"); limit && *limit < memory.total) {
    memory.total = *limit;
    const int64_t used = number_in("/sys/fs/cgroup/memory.current").value_or(0);
    memory.available = std::min(memory.available, std::max<int64_t>(0, *limit - used));
  }
  return memory;
}

std::optional<int64_t> peak_memory(int process) {
  std::ifstream status("/proc/" + (process == 0 ? "self" : std::to_string(process)) + "/status");
  for (std::string line; std::getline(status, line);) {
    long long kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %lld kB", &kilobytes) == 1) return kilobytes * 1024;
  }
  return std::nullopt;
}

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);                    // no block of its own for a large tensor
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);  // bytes at the heap's end that are kept
  mallopt(M_TOP_PAD, 64 << 20);              // grow in steps of this
#endif
}

}  // namespace trivium
