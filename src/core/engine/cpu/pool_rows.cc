#include "core/engine/cpu/pool_rows.h"

#include <algorithm>

namespace trivium {
namespace {

int64_t count_rows(std::span<const PoolRows> uses) {
  int64_t rows = 0;
  for (const PoolRows& use : uses) rows += use.count;
  return rows;
}

}  // namespace

// A thread takes some columns of all rows, so that both functions need no more than the uses.

void gather_rows(const CpuContext& context, std::span<const PoolRows> uses, int64_t width,
                 const float* hidden, float* gathered) {
  context.threads->for_ranges(width, count_rows(uses) * width,
                              [&](int, int64_t begin, int64_t end) {
                                for (const PoolRows& use : uses) {
                                  for (int64_t r = 0; r < use.count; ++r) {
                                    std::copy_n(hidden + (use.row + r) * width + begin, end - begin,
                                                gathered + (use.place + r) * width + begin);
                                  }
                                }
                              });
}

void mix_rows(const CpuContext& context, std::span<const PoolRows> uses, int64_t num_rows,
              int64_t width, const float* gathered, float* mixed) {
  context.threads->for_ranges(
      width, count_rows(uses) * width, [&](int, int64_t begin, int64_t end) {
        for (int64_t row = 0; row < num_rows; ++row) {
          std::fill(mixed + row * width + begin, mixed + row * width + end, 0.0f);
        }
        for (const PoolRows& use : uses) {
          for (int64_t r = 0; r < use.count; ++r) {
            const float* from = gathered + (use.place + r) * width;
            float* to = mixed + (use.row + r) * width;
            for (int64_t k = begin; k < end; ++k) to[k] += use.weight * from[k];
          }
        }
      });
}

}  // namespace trivium
