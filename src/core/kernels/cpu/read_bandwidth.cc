#include "core/kernels/read_bandwidth.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/base/timing.h"
#include "core/kernels/aligned_buffer.h"

namespace trivium {
namespace {

// The sum of `count` values, a multiple of 64; asks for each line before it is needed, as the block
// kernels do.
TRIVIUM_CPU_CLONES
uint32_t sum_of(const uint32_t* values, int64_t count) {
  constexpr int64_t kAhead = 1024;  // values: 4 KiB
  uint32_t lanes[64] = {};
  for (int64_t i = 0; i < count; i += 64) {
    for (int64_t line = 0; line < 64; line += 16) __builtin_prefetch(values + i + kAhead + line);
    for (int64_t j = 0; j < 64; ++j) lanes[j] += values[i + j];
  }
  uint32_t sum = 0;
  for (const uint32_t lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double read_bandwidth(ThreadPool& threads, int64_t bytes) {
  constexpr int64_t kBlockBytes = 256;
  const int64_t blocks = std::max<int64_t>(bytes / kBlockBytes, 4096);
  AlignedBuffer<uint32_t> buffer(blocks * kBlockBytes / 4);
  std::vector<uint32_t> sums(static_cast<size_t>(threads.size()) * 16);  // a cache line each
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 12; ++round) {
    const auto start = std::chrono::steady_clock::now();
    threads.for_ranges(blocks, blocks * kBlockBytes, [&](int thread, int64_t begin, int64_t end) {
      sums[static_cast<size_t>(thread) * 16] +=
          sum_of(buffer.data() + begin * kBlockBytes / 4, (end - begin) * kBlockBytes / 4);
    });
    best = std::min(best, seconds_since(start));
  }
  check(std::all_of(sums.begin(), sums.end(), [](uint32_t sum) { return sum == 0; }),
        "the buffer is zeros");
  return static_cast<double>(blocks * kBlockBytes) / best;
}

}  // namespace trivium
