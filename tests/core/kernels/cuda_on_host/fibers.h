// Blocks of threads as fibers (README.md).
#pragma once

#include <functional>
#include <string>

#include "cuda_runtime.h"

namespace cuda_on_host {

constexpr size_t kMostShared = 227 * 1024;  // bytes that a block may have on compute capability 9.0
constexpr size_t kGuard = 4096;             // bytes behind them that are watched

// Runs `thread` once for every thread of every block, one block after the other. What is wrong, or
// "": the first barrier that not all threads reach, or memory written beyond `shared` bytes.
std::string run_grid(dim3 grid, dim3 block, size_t shared, const std::function<void()>& thread);

}  // namespace cuda_on_host
