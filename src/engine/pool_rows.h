// A batch's rows on their way to the experts of a pool, and the experts' outputs on their way back.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/linear.h"

namespace trivium {

// `count` rows of the batch from `row` on, which stand at `place` in the order of experts.
struct PoolRows {
  int64_t row = 0, place = 0, count = 1;
  float weight = 1;  // of the expert in the rows' mixture
};

// gathered[place] = hidden[row] for all rows. hidden: [batch rows, width].
void gather_rows(const CpuContext& context, std::span<const PoolRows> uses, int64_t width,
                 const float* hidden, float* gathered);

// mixed[row] = the sum over the row's uses of weight * gathered[place], in the order of uses.
// mixed: [num_rows, width].
void mix_rows(const CpuContext& context, std::span<const PoolRows> uses, int64_t num_rows,
              int64_t width, const float* gathered, float* mixed);

}  // namespace trivium
